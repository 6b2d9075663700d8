"""BARFI on the cart pole, with a controller's good and bad advice."""

from scripts.experiments.barfi_settings import WORDS, arm
from scripts.experiments.claim import Comparison

_BAD = ("env=classic/advised_cart_pole", "env.kwargs.heuristic=bad")
_GOOD = ("env=classic/advised_cart_pole", "env.kwargs.heuristic=good")
_AGENT = "barfi/cart_pole"

CLAIM = Comparison(
    title="Behaviour alignment: a cart pole with good and bad advice",
    text=(
        "[BARFI](behaviour_alignment.md) on a pole that pays 1 for every step it stands, 500 at most. A controller "
        "that could balance it is the heuristic: good, 5 for doing what it would and −1 for the other; bad, −5 and 1. "
        f"{WORDS} BARFI and `frozen` learn from the sum for the first 150 episodes, as published. The task's own "
        "return counts. Settings are those published, the first of a set where there are several; that the warm start "
        "stays and the number of steps were chosen on seed 300."
    ),
    arms={
        "primary": arm(_BAD, _AGENT, "primary"),
        "naive-good": arm(_GOOD, _AGENT, "naive"),
        "barfi-good": arm(_GOOD, _AGENT, "barfi"),
        "naive-bad": arm(_BAD, _AGENT, "naive"),
        "frozen-bad": arm(_BAD, _AGENT, "frozen"),
        "barfi-bad": arm(_BAD, _AGENT, "barfi"),
    },
    total_timesteps=30_000,
    metric="task_return_mean",
    columns=("task_return_mean", "eval_return_mean", "steps"),
)
