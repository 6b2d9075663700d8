"""What learns: every agent is an SB3 algorithm, described by an `Agent` in a folder of its own.

>>> import agents
>>> "ppo" in agents.names()
True
"""

from __future__ import annotations

from typing import Any

from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.vec_env import VecEnv

from agents.action_probabilities import ActionProbabilities
from agents.agent import Agent, AgentConfig, configured, get, options, register, registry
from agents.algorithm import Algorithm
from agents.players import EpisodeRecord, Player, action_masks, play
from agents.shaping_callback import ShapingCallback
from agents.stored_rewards import StoredRewards

__all__ = [
    "ActionProbabilities",
    "Agent",
    "AgentConfig",
    "Algorithm",
    "EpisodeRecord",
    "Player",
    "ShapingCallback",
    "StoredRewards",
    "action_masks",
    "build",
    "configured",
    "get",
    "names",
    "options",
    "play",
    "register",
]


def names() -> tuple[str, ...]:
    """The names of all agents."""
    return registry.names()


def build(name: str, env: VecEnv, *, seed: int | None = None, threads: int = 1, **settings: Any) -> BaseAlgorithm:
    """A new model of the agent called `name` in `env`.

    Args:
        name: one of `names()`.
        env: the stack that the agent acts in.
        seed: of networks, sampling and action spaces.
        threads: cores to learn with.
        settings: of the agent; see `SB3Agent.build`. Those of SB3's algorithms have SB3's own
            defaults.

    Raises:
        ValueError: an unknown name or setting, or an agent that cannot act in `env`; says why and
            what would do.
    """
    return get(name).build(env, seed=seed, threads=threads, **settings)
