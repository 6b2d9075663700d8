"""What the claims of imitation on PointMass share: few steps of an expert, a small learner."""

from __future__ import annotations

from scripts.experiments.claim import DEMONSTRATIONS, SEED

STEPS = 5_000
RECORDED = ("scripted", "env=classic/point_mass", "episodes=4", "n_envs=4", "subsample=10", f"seed={SEED}")
_ENDING = ("env=classic/point_mass", "env.kwargs.goal=0.2")
RECORDED_ENDING = ("scripted", *_ENDING, "episodes=4", "n_envs=4", "subsample=5", f"seed={SEED}")
_BASE = ("env=classic/point_mass", "shaping=none", f"agent.demonstrations={DEMONSTRATIONS}")
LEARNER = (
    *_BASE, "agent=gail_td3", "agent.net_arch=[64,64]", "agent.learning_rate=0.001", "agent.buffer_size=5000",
)  # fmt: skip
CLONED = (*_BASE, "agent=bc", "agent.n_steps=60", "n_envs=4")
CLONED_ENDING = (*CLONED, "env.kwargs.goal=0.2")
TOLD = {
    "d_accuracy": ("train/d_accuracy",),
    "d_expert": ("train/d_expert",),
    "d_agent": ("train/d_agent",),
    "penalty_mean": ("train/d_penalty",),
    "gradient_norm_mean": ("train/d_slope_replay_mean",),
    "gradient_norm_max": ("train/d_slope_replay_max",),
    "q_slope": ("train/q_slope",),
}


def imitator(*overrides: str) -> tuple[str, ...]:
    """Overrides of a run of gail_td3; `overrides` without "agent."."""
    return (*LEARNER, *(f"agent.{override}" for override in overrides))


def ended(*overrides: str) -> tuple[str, ...]:
    """The same where an episode is over at the goal."""
    return (*imitator(*overrides), _ENDING[1])
