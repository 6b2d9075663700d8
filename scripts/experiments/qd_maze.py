"""HardMaze: how much of it a search reaches."""

from scripts.experiments.claim import Comparison
from scripts.experiments.qd_settings import TOLD, search

_BUDGET = 10_000
_STEPS = 2_000

CLAIM = Comparison(
    title="Quality-diversity: a maze",
    text=(
        f"HardMaze, {_STEPS:,} steps an episode, {_BUDGET:,} evaluations of policies with 63 weights. `coverage` is "
        "the share of 50 × 50 cells in which the robot of any evaluation was at the end; two goals are paid, one of "
        "them behind a dead end. Settings are those published."
    ),
    arms={
        agent: search("classic/hard_maze", agent, budget=_BUDGET)
        for agent in ("novelty_search", "serene", "nslc", "map_elites", "cma_me", "cma_es", "random_genomes")
    },
    total_timesteps=_BUDGET * _STEPS,
    metric="coverage",
    told=TOLD,
    columns=("coverage", "min_area_reward", "max_area_reward", "evaluations"),
)
