"""Curling with small goals: novelty, quality, and both."""

import functools

from scripts.experiments.claim import Comparison
from scripts.experiments.qd_settings import BUDGET, SEARCHES, TOLD, search

STEPS = 500
_searching = functools.partial(search, "classic/curling_hard")

CLAIM = Comparison(
    title="Quality-diversity: curling with small goals",
    text=(
        f"`classic/curling_hard`: an arm pushes a ball, which is paid for where it lies after {STEPS} steps, in two "
        f"small goals. {BUDGET:,} evaluations, an episode each, of policies with 94 weights, by each of the searches "
        "of [quality_diversity.md](quality_diversity.md). `coverage` is the share of 50 × 50 cells in which the ball "
        "of any evaluation came to rest; `min area reward` is the best reward in the goal where it is lowest. "
        "Settings are those published. `-tuned` are those that did best of several on seeds 300 to 305: "
        "SERENE's emitters with steps as long as a mutation, no trial before they run and 80 steps at most "
        "(`agent=serene/small_goals`), MAP-Elites with noise of .2, NSGA-II with .1; novelty search did best as it is."
    ),
    arms={agent: _searching(agent) for agent in SEARCHES}
    | {
        "serene-tuned": _searching("serene/small_goals"),
        "map_elites-tuned": _searching("map_elites", "sigma=0.2"),
        "nsga2-tuned": _searching("nsga2", "sigma=0.1"),
    },
    total_timesteps=BUDGET * STEPS,
    seeds=(100, 101, 102, 103, 104, 105),
    metric="min_area_reward",
    told=TOLD,
    columns=("min_area_reward", "max_area_reward", "coverage", "evaluations", "eval_return_mean"),
)
