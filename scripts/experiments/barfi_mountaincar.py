"""BARFI on the mountain car that is paid once, with advice that traps it and advice that helps."""

from scripts.experiments.barfi_settings import WORDS, arms
from scripts.experiments.claim import Comparison

_BAD = ("env=classic/sparse_mountain_car", "env.kwargs.heuristic=energy", "n_envs=3")
_GOOD = ("env=classic/sparse_mountain_car", "env.kwargs.heuristic=speed", "n_envs=3")
_AGENT = "barfi/mountain_car"

CLAIM = Comparison(
    title="Behaviour alignment: a mountain car with good and bad advice",
    text=(
        "[BARFI](behaviour_alignment.md) in the mountain car that is paid 1 at the top and nothing else, 2,000 steps "
        "at most. The good heuristic is 10 times the speed; the bad one pays 1 for a push along the velocity and −1 "
        "for any other, so that swinging for ever is worth more than leaving. "
        f"{WORDS} BARFI, `first-order` and `frozen` learn from the sum for the first 50 episodes, as published. "
        "The task's own return, which is how often the top is reached, counts over the last 100 episodes of training "
        "and over 100 more with actions sampled. Settings are those published, the first of a set where there are "
        "several; the number of steps was chosen on seed 300."
    ),
    arms=arms(_BAD, _GOOD, _AGENT),
    total_timesteps=400_000,
    metric="task_return_mean",
    columns=("task_return_mean", "eval_return_mean", "success_rate", "eval_success_rate", "steps"),
)
