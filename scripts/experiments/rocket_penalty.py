"""Rocket: a penalty, learned in a minute or two."""

from scripts.experiments.claim import Comparison
from scripts.experiments.rocket_settings import PLAYED
from scripts.experiments.rocket_shooting import SHAPED, SHOOT

SCENE = ("env=rocket/shoot", "env.kwargs.starts={penalty:1}", "env.kwargs.seconds=4", "evaluate_episodes=300")
PENALTY = (*SHOOT, *SCENE[1:])

CLAIM = Comparison(
    title="Rocket: a penalty",
    text=(
        "One car a few lengths behind the ball, the ball before an open goal, 4 seconds. Both arms get 5 for a goal; "
        "`kinesthetic` also gets 0.1 of the kinesthetic combination of alignment, velocity to and distance from the "
        "ball and of twice the ball's velocity to the goal, at every step, and 1 of the ball's acceleration when it "
        "is touched. The settings were chosen on seed 71. Success is a goal."
    ),
    arms={
        "none": (*PENALTY, "shaping=none", "shaping.task_weight=5"),
        "kinesthetic": (
            *PENALTY,
            *SHAPED,
            f"shaping.terms.kinesthetic.reward='krc({PLAYED}) + 2*ball_to_goal_velocity'",
        ),
    },
    total_timesteps=589_824,
    goals=True,
)
