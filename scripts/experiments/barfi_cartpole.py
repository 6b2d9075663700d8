"""BARFI on the cart pole, with a controller's good and bad advice."""

from scripts.experiments.barfi_settings import WORDS, arm, arms
from scripts.experiments.claim import Comparison

_BAD = ("env=classic/advised_cart_pole", "env.kwargs.heuristic=bad")
_GOOD = ("env=classic/advised_cart_pole", "env.kwargs.heuristic=good")
_AGENT = "barfi/cart_pole"
_FAST = "agent.learning_rate=0.004"

CLAIM = Comparison(
    title="Behaviour alignment: a cart pole with good and bad advice",
    text=(
        "[BARFI](behaviour_alignment.md) on a pole that pays 1 for every step it stands, 500 at most. A controller "
        "that could balance it is the heuristic: good, 5 for doing what it would and −1 for the other; bad, −5 and 1. "
        f"{WORDS} BARFI, `first-order` and `frozen` learn from the sum for the first 150 episodes, as published. "
        "`...-fast` have the larger of the two learning rates published, 0.004 instead of 0.001. The task's own return "
        "counts, over the last 100 episodes of training and over 100 more with actions sampled. Settings are those "
        "published, the first of a set where there are several; the number of steps was chosen on seed 300."
    ),
    arms=arms(_BAD, _GOOD, _AGENT)
    | {
        "primary-fast": arm(_BAD, _AGENT, "primary", _FAST),
        "naive-good-fast": arm(_GOOD, _AGENT, "naive", _FAST),
        "barfi-good-fast": arm(_GOOD, _AGENT, "barfi", _FAST),
        "barfi-bad-fast": arm(_BAD, _AGENT, "barfi", _FAST),
    },
    total_timesteps=100_000,
    metric="task_return_mean",
    columns=("task_return_mean", "eval_return_mean", "steps"),
)
