"""TAXONS on Curling: behaviour learned from images, beside hand-made and made-up spaces."""

import functools

from scripts.experiments.claim import Comparison
from scripts.experiments.qd_settings import TOLD, search

_BUDGET = 8_000
_STEPS = 500
_searching = functools.partial(search, "classic/curling", budget=_BUDGET)

CLAIM = Comparison(
    title="Quality-diversity: a learned space of behaviours",
    text=(
        f"Curling, {_BUDGET:,} evaluations. `taxons` draws novelty or surprise for each generation, in a space of 10 "
        "numbers that an autoencoder learns from the last image, 32 × 32, at most 10 epochs a training; `novelty` and "
        "`surprise` have one of the two; `untrained` is `novelty` with an autoencoder that never learns. `final` is "
        "novelty search that sees where the ball lies, `pixels` one that sees the image as it is, `genome` one that "
        "sees the policy's weights, `random` one that sees random numbers. In `-arm` the arm is in the picture. "
        "`coverage` is the share of 50 × 50 cells in which the ball of any evaluation came to rest. Rewards are seen "
        "by nobody."
    ),
    arms={
        "final": _searching("novelty_search"),
        "taxons": _searching("taxons"),
        "novelty": _searching("taxons", "selection=novelty"),
        "surprise": _searching("taxons", "selection=surprise"),
        "untrained": _searching("taxons", "selection=novelty", "training=false"),
        "pixels": _searching("novelty_search", "descriptor=pixels"),
        "genome": _searching("novelty_search", "descriptor=genome"),
        "random": _searching("novelty_search", "descriptor=random"),
        "taxons-arm": (*_searching("taxons"), "env.kwargs.draw_arm=true"),
        "untrained-arm": (*_searching("taxons", "selection=novelty", "training=false"), "env.kwargs.draw_arm=true"),
    },
    total_timesteps=_BUDGET * _STEPS,
    metric="coverage",
    told=TOLD,
    columns=("coverage", "evaluations"),
)
