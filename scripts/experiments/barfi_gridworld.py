"""BARFI in the square: a bad heuristic is turned off, a good one is kept."""

from scripts.experiments.barfi_settings import WORDS, arm
from scripts.experiments.claim import Comparison

_BAD = ("env=classic/sparse_square", "env.kwargs.heuristic=bad")
_GOOD = ("env=classic/sparse_square", "env.kwargs.heuristic=good")
_FAST = "agent.learning_rate=0.005"

CLAIM = Comparison(
    title="Behaviour alignment: a square with a good and a bad heuristic",
    text=(
        "[BARFI](behaviour_alignment.md) in a square whose far corner pays 100 and where a step costs 0.1. The good "
        "heuristic is minus the squared distance to that corner; the bad one pays up to 200 a step in the middle of "
        f"the square. {WORDS} `from-task-bad` is BARFI whose factors start at the task alone (0, 1, 0), not at random. "
        "The task's own return counts, over the last 100 episodes of training and over 100 more with actions sampled. "
        "All arms have the same number of steps: 400 episodes for who never arrives, some 900 for who soon does. The "
        "policy's learning rate is the larger and more fragile of the two published. It, the number of steps, and that "
        "policy and factors have a bias, were chosen on seeds 300 to 304, `from-task-bad` on 305 to 308."
    ),
    arms={
        "primary": arm(_BAD, "barfi", "primary", _FAST),
        "naive-good": arm(_GOOD, "barfi", "naive", _FAST),
        "barfi-good": arm(_GOOD, "barfi", "barfi", _FAST),
        "naive-bad": arm(_BAD, "barfi", "naive", _FAST),
        "frozen-bad": arm(_BAD, "barfi", "frozen", _FAST),
        "barfi-bad": arm(_BAD, "barfi", "barfi", _FAST),
        "from-task-bad": arm(_BAD, "barfi", "barfi", _FAST, "agent.start=task"),
        "first-order-bad": arm(_BAD, "barfi", "first-order", _FAST),
        "pbrs-bad": arm(_BAD, "barfi", "pbrs", _FAST),
        "pbrs-ac-bad": arm(_BAD, "barfi", "pbrs-ac", _FAST, "agent.learning_rate_critic=0.005"),
    },
    total_timesteps=20_000,
    metric="task_return_mean",
    columns=("task_return_mean", "eval_return_mean", "success_rate", "steps_to_90", "steps"),
)
