"""Curling with small goals: novelty, quality, and both."""

from scripts.experiments.claim import Comparison
from scripts.experiments.qd_settings import BUDGET, SEARCHES, TOLD, search

STEPS = 500

CLAIM = Comparison(
    title="Quality-diversity: curling with small goals",
    text=(
        f"`classic/curling_hard`: an arm pushes a ball, which is paid for where it lies after {STEPS} steps, in two "
        f"small goals. {BUDGET:,} evaluations, an episode each, of policies with 94 weights, by each of the searches "
        "of [quality_diversity.md](quality_diversity.md). `coverage` is the share of 50 × 50 cells in which the ball "
        "of any evaluation came to rest; `min area reward` is the best reward in the goal where it is lowest. "
        "Settings are those published. `serene-small` is SERENE for small goals: emitters whose steps are as long as a "
        "mutation, no trial before they run, 80 steps at most, as chosen on seeds 300 to 305; other noise (.02, .1, "
        ".2) helped none of novelty search, MAP-Elites and NSGA-II there."
    ),
    arms={agent: search("classic/curling_hard", agent) for agent in SEARCHES}
    | {"serene-small": search("classic/curling_hard", "serene/small_goals")},
    total_timesteps=BUDGET * STEPS,
    seeds=(100, 101, 102, 103, 104, 105),
    metric="min_area_reward",
    told=TOLD,
    columns=("min_area_reward", "max_area_reward", "coverage", "evaluations", "eval_return_mean"),
)
