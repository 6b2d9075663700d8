"""A redundant arm: rewards found in a space that is learned from images."""

import functools

from scripts.experiments.claim import Comparison
from scripts.experiments.qd_settings import TOLD, search

_BUDGET = 40_000
_STEPS = 100
_searching = functools.partial(search, "classic/redundant_arm", budget=_BUDGET)

CLAIM = Comparison(
    title="Quality-diversity: three goals of an arm with twenty joints",
    text=(
        f"RedundantArm, {_STEPS} steps an episode, {_BUDGET:,} evaluations of policies with 228 weights; where the tip "
        "is at the end is paid in three small circles. `stax` learns its space of behaviours from five images an "
        "episode and keeps who is novel or surprising; `untrained` is the same with an autoencoder that never learns; "
        "`one-image` sees the last image alone. `serene` and `novelty` are told where the tip is. `coverage` is the "
        "share of 50 × 50 cells in which the tip of any evaluation was at the end; `min area reward` is the best "
        "reward in the circle where it is lowest, `areas` how many were found."
    ),
    arms={
        "serene": _searching("serene"),
        "novelty": _searching("novelty_search"),
        "stax": _searching("stax"),
        "one-image": _searching("stax", "descriptor=image:1"),
        "untrained": _searching("stax", "training=false"),
        "random": _searching("random_genomes"),
    },
    total_timesteps=_BUDGET * _STEPS,
    metric="min_area_reward",
    told=TOLD,
    columns=("min_area_reward", "max_area_reward", "areas", "coverage", "evaluations"),
)
