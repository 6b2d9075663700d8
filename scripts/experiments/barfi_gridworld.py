"""BARFI in the square: a bad heuristic is turned off, a good one is kept."""

from scripts.experiments.barfi_settings import WORDS, arm, arms
from scripts.experiments.claim import Comparison

_BAD = ("env=classic/sparse_square", "env.kwargs.heuristic=bad")
_GOOD = ("env=classic/sparse_square", "env.kwargs.heuristic=good")
_FRAGILE = "agent.learning_rate=0.005"

CLAIM = Comparison(
    title="Behaviour alignment: a square with a good and a bad heuristic",
    text=(
        "[BARFI](behaviour_alignment.md) in a square whose far corner pays 100 and where a step costs 0.1. The good "
        "heuristic is minus the squared distance to that corner; the bad one pays up to 200 a step in the middle of "
        f"the square. {WORDS} `barfi-bad-fragile` has the larger of the two learning rates published, 0.005 instead of "
        "0.001. The task's own return counts, over the last 100 episodes of training and over 100 more with actions "
        "sampled. All arms have the same number of steps: 720 episodes for who never arrives, some 1,500 for who soon "
        "does. Settings are those published; that policy and factors have a bias was chosen on seeds 300 to 304."
    ),
    arms=arms(_BAD, _GOOD, "barfi")
    | {
        "barfi-bad-fragile": arm(_BAD, "barfi", "barfi", _FRAGILE),
    },
    total_timesteps=36_000,
    seeds=(200, 201, 202, 203, 204),
    metric="task_return_mean",
    columns=("task_return_mean", "eval_return_mean", "success_rate", "steps_to_90", "steps"),
)
