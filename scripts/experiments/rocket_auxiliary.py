"""Rocket: Lucy's auxiliary losses."""

from scripts.experiments.claim import Comparison
from scripts.experiments.rocket_settings import PLAYED

_PENALTY = (
    "env=rocket/shoot",
    "env.kwargs.observation=lucy",
    "env.kwargs.starts={penalty:1}",
    "env.kwargs.seconds=4",
    "agent=lucy/light",
    "n_envs=48",
    "agent.gamma=0.98",
    "torch_threads=1",
    "shaping=kinesthetic",
    "shaping.task_weight=5",
    "shaping.terms.kinesthetic.weight=0.1",
    "shaping.terms.kinesthetic.events=10*touch_acceleration",
    f"shaping.terms.kinesthetic.reward='krc({PLAYED}) + 2*ball_to_goal_velocity'",
)

CLAIM = Comparison(
    title="Rocket: Lucy's auxiliary losses",
    text=(
        "Penalties: the ball before an open goal, the car behind it, not quite in line, 4 seconds. The agent is "
        "[`lucy/light`](lucy.md), attention over car and ball; rewards are the goal, touch acceleration, the "
        "velocity of the ball to the goal and the offensive potential. `reward` adds the prediction of the "
        "reward's kind to PPO's loss, `state` the reconstruction of the situation, `both` both, `off` neither. "
        "Settings were found with both on seed 0, which is not among these. Success is a goal."
    ),
    arms={
        "off": (*_PENALTY, "agent.reward_prediction=0", "agent.state_representation=0"),
        "state": (*_PENALTY, "agent.reward_prediction=0"),
        "reward": (*_PENALTY, "agent.state_representation=0"),
        "both": _PENALTY,
    },
    total_timesteps=100_000,
    goals=True,
)
