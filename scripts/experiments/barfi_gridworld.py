"""BARFI in the square: a bad heuristic is turned off, a good one is kept."""

from scripts.experiments.barfi_settings import WORDS, arm
from scripts.experiments.claim import Comparison

_BAD = ("env=classic/sparse_square", "env.kwargs.heuristic=bad")
_GOOD = ("env=classic/sparse_square", "env.kwargs.heuristic=good")

CLAIM = Comparison(
    title="Behaviour alignment: a square with a good and a bad heuristic",
    text=(
        "[BARFI](behaviour_alignment.md) in a square whose far corner pays 100 and where a step costs 0.1. The good "
        "heuristic is minus the squared distance to that corner; the bad one pays up to 200 a step in the middle of "
        f"the square. {WORDS} `barfi-bad-fast` has five times the policy's learning rate. The task's own return "
        "counts, over the last 100 episodes of training and over 100 more with "
        "actions sampled. All arms have the same number "
        "of steps: 600 episodes for who never arrives, some 1,200 for who does. Learning rates and costs are those "
        "published or measured elsewhere; the number of steps, and that policy and factors have a bias, were chosen on "
        "seeds 300 to 302."
    ),
    arms={
        "primary": arm(_BAD, "barfi", "primary"),
        "naive-good": arm(_GOOD, "barfi", "naive"),
        "barfi-good": arm(_GOOD, "barfi", "barfi"),
        "naive-bad": arm(_BAD, "barfi", "naive"),
        "frozen-bad": arm(_BAD, "barfi", "frozen"),
        "barfi-bad": arm(_BAD, "barfi", "barfi"),
        "barfi-bad-fast": arm(_BAD, "barfi", "barfi", "agent.learning_rate=0.005"),
        "first-order-bad": arm(_BAD, "barfi", "first-order"),
        "pbrs-bad": arm(_BAD, "barfi", "pbrs"),
        "pbrs-ac-bad": arm(_BAD, "barfi", "pbrs-ac"),
    },
    total_timesteps=30_000,
    metric="task_return_mean",
    columns=("task_return_mean", "eval_return_mean", "success_rate", "steps_to_90", "steps"),
)
