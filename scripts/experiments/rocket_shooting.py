"""Rocket: shooting at an open goal."""

from scripts.experiments.claim import Comparison
from scripts.experiments.rocket_settings import PLAYED

SHOOT = (
    "env=rocket/shoot",
    "agent=ppo",
    "n_envs=48",
    "agent.n_steps=128",
    "agent.batch_size=1536",
    "agent.n_epochs=6",
    "agent.learning_rate=7e-4",
    "agent.gamma=0.98",
    "agent.ent_coef=0.005",
    "agent.net_arch=[96,96]",
    "torch_threads=1",
    "evaluate_episodes=400",
    "shaping=kinesthetic",
    "shaping.task_weight=5",
)
SHAPED = ("shaping.terms.kinesthetic.weight=0.1", "shaping.terms.kinesthetic.events=10*touch_acceleration")
_POTENTIAL = ("shaping.terms.kinesthetic.form=potential", "shaping.terms.kinesthetic.events=touch_acceleration")

CLAIM = Comparison(
    title="Rocket: shooting at an open goal",
    text=(
        "One car, the ball slow on the floor some 900 to 1,800 uu away, an open goal, 6 seconds. All arms get 5 "
        "for a goal and the [kinesthetic term](terms/kinesthetic.md)'s touch acceleration (weight 1). `krc` adds "
        "0.1 of the offensive potential, the kinesthetic combination of alignment, velocity to and distance from "
        "the ball, at every step; `linear` 0.1 of the arithmetic mean of the same three. The `potential` arms pay "
        "the same as a difference of potentials (γ = 1, weight 1), `smooth` with ε = 0.05 under the root, whose "
        "slope at 0 is finite then. `events` adds nothing. Success is a goal."
    ),
    arms={
        "events": (*SHOOT, *SHAPED, "shaping.terms.kinesthetic.reward=none"),
        "linear": (*SHOOT, *SHAPED, "shaping.terms.kinesthetic.reward=offensive_linear"),
        "krc": (*SHOOT, *SHAPED, "shaping.terms.kinesthetic.reward=offensive_potential"),
        "linear-potential": (*SHOOT, *_POTENTIAL, "shaping.terms.kinesthetic.reward=offensive_linear"),
        "krc-potential": (*SHOOT, *_POTENTIAL, "shaping.terms.kinesthetic.reward=offensive_potential"),
        "krc-potential-smooth": (
            *SHOOT,
            *_POTENTIAL,
            f"shaping.terms.kinesthetic.reward='krc({PLAYED}, eps=0.05)'",
        ),
    },
    total_timesteps=294_912,
    goals=True,
)
