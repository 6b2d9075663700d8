"""Agents with a replay buffer: DQN, QRDQN, SAC, TD3."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Union

import numpy as np
from gymnasium import spaces
from sb3_contrib import QRDQN
from stable_baselines3 import DQN, SAC, TD3
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.noise import NormalActionNoise
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm
from stable_baselines3.common.vec_env import VecEnv

from agents.agent import AgentConfig, register
from agents.memory import refuse_beyond_memory, step_bytes
from agents.sb3.algorithm import ABOVE_0, AT_LEAST_0, AT_LEAST_1, SHARE, SB3Agent, SB3Config
from agents.stored_rewards import RescoredDictReplayBuffer, RescoredReplayBuffer, Rescoring
from foundation.plain_state import read_state, write_state
from shaping import ShapedVecEnv
from shaping.terms import FloatArray, Transitions

Number = Union[int, float, str]  # noqa: UP007 - OmegaConf reads Union
REPLAY_FILE = "replay.pt"


@dataclass
class OffPolicyConfig(SB3Config):
    """What every agent with a replay buffer has."""

    buffer_size: int = 100_000  # transitions
    learning_starts: int = 1_000  # environment steps of random play before learning
    batch_size: int = 64
    train_freq: int = 4  # steps of every environment between updates
    gradient_steps: int = 1  # updates then; -1 for as many as steps were taken
    log_every: int = 1_000  # environment steps between rows of progress.csv

    bounds: ClassVar[Mapping[str, Mapping[str, float]]] = {
        **dict.fromkeys(("buffer_size", "batch_size", "train_freq", "log_every"), AT_LEAST_1),
        "learning_starts": AT_LEAST_0,
        "gradient_steps": {"least": -1.0},
        "tau": SHARE,
    }

    def check(self) -> None:
        super().check()
        if self.gradient_steps == 0:
            raise ValueError("agent.gradient_steps=0 learns nothing: expected 1 or more, or -1 for one a step")


@dataclass
class DQNConfig(OffPolicyConfig):
    """Deep Q-network."""

    tau: float = 1.0
    target_update_interval: int = 1_000
    exploration_fraction: float = 0.2
    exploration_initial_eps: float = 1.0
    exploration_final_eps: float = 0.05
    max_grad_norm: float = 10.0

    bounds: ClassVar[Mapping[str, Mapping[str, float]]] = {
        **dict.fromkeys(("exploration_fraction", "exploration_initial_eps", "exploration_final_eps"), SHARE),
        "target_update_interval": AT_LEAST_1,
        "max_grad_norm": ABOVE_0,
    }


@dataclass
class QRDQNConfig(DQNConfig):
    """DQN that learns the distribution of returns by quantile regression."""

    n_quantiles: int = 50

    bounds: ClassVar[Mapping[str, Mapping[str, float]]] = {"n_quantiles": AT_LEAST_1}


@dataclass
class SACConfig(OffPolicyConfig):
    """Soft actor-critic, for continuous actions."""

    batch_size: int = 256
    train_freq: int = 1
    tau: float = 0.005
    ent_coef: Number = "auto"  # auto, auto_0.1, or a number
    target_entropy: Number = "auto"
    target_update_interval: int = 1
    action_noise_std: float = 0.0

    bounds: ClassVar[Mapping[str, Mapping[str, float]]] = {
        "target_update_interval": AT_LEAST_1,
        "action_noise_std": AT_LEAST_0,
    }


@dataclass
class TD3Config(OffPolicyConfig):
    """Twin delayed deep deterministic policy gradient, for continuous actions."""

    batch_size: int = 256
    learning_rate: float = 1e-3
    train_freq: int = 1
    tau: float = 0.005
    policy_delay: int = 2
    target_policy_noise: float = 0.2
    target_noise_clip: float = 0.5
    action_noise_std: float = 0.1

    bounds: ClassVar[Mapping[str, Mapping[str, float]]] = {
        "policy_delay": AT_LEAST_1,
        **dict.fromkeys(("target_policy_noise", "target_noise_clip", "action_noise_std"), AT_LEAST_0),
    }


class OffPolicyAgent(SB3Agent):
    """An agent that learns from a replay buffer, which is saved with it."""

    not_arguments = ("log_every",)

    def refuse_spaces(self, env: VecEnv, policy: str) -> None:
        super().refuse_spaces(env, policy)
        if isinstance(env.action_space, spaces.Box) and not env.action_space.shape:
            raise ValueError(
                f"The actions are one number without an axis ({env.action_space}); give it the shape (1,)."
            )

    def arguments(self, env: VecEnv, settings: dict[str, Any]) -> dict[str, Any]:
        noise = settings.pop("action_noise_std", 0.0)
        if noise:
            shape = env.action_space.shape
            assert shape is not None
            settings["action_noise"] = NormalActionNoise(np.zeros(shape), np.full(shape, noise))
        refuse_beyond_memory("agent.buffer_size", int(settings.get("buffer_size", 1_000_000)), step_bytes(env, 2))
        if isinstance(env, ShapedVecEnv) and env.rescored:
            dictionary = isinstance(env.observation_space, spaces.Dict)
            settings["replay_buffer_class"] = RescoredDictReplayBuffer if dictionary else RescoredReplayBuffer
        return settings

    def build(self, env: VecEnv, **settings: Any) -> BaseAlgorithm:
        model = super().build(env, **settings)
        _ask_again(model, env)
        return model

    def save(self, model: Any, folder: Path) -> None:
        super().save(model, folder)
        write_state(_filled(model.replay_buffer), folder / REPLAY_FILE)

    def load(
        self, folder: Path, env: VecEnv | None, config: Any, *, threads: int = 1, trust: bool = False
    ) -> BaseAlgorithm:
        if env is None:  # who plays only stores nothing
            return super().load(folder, env, replace(config, buffer_size=1), threads=threads, trust=trust)
        model = super().load(folder, env, config, threads=threads, trust=trust)
        assert isinstance(model, OffPolicyAlgorithm)
        _refill(model.replay_buffer, read_state(folder / REPLAY_FILE, trust=trust))
        return model

    def row_every(self, config: Any) -> int:
        return int(config.log_every)


@register("dqn")
class DQNAgent(OffPolicyAgent):
    """DQN (Mnih et al. 2015)."""

    algorithm: ClassVar[type[BaseAlgorithm]] = DQN
    config: ClassVar[type[AgentConfig]] = DQNConfig
    actions = (spaces.Discrete,)

    def over_the_run(self, config: Any) -> tuple[str, ...]:
        return (*super().over_the_run(config), "the share of random actions (agent.exploration_fraction)")


@register("qrdqn")
class QRDQNAgent(DQNAgent):
    """QR-DQN (Dabney et al. 2018, arXiv 1710.10044)."""

    algorithm = QRDQN
    config = QRDQNConfig
    policy_arguments = ("n_quantiles",)


@register("sac")
class SACAgent(OffPolicyAgent):
    """SAC (Haarnoja et al. 2018, arXiv 1801.01290)."""

    algorithm = SAC
    config = SACConfig
    actions = (spaces.Box,)


@register("td3")
class TD3Agent(OffPolicyAgent):
    """TD3 (Fujimoto et al. 2018, arXiv 1802.09477)."""

    algorithm = TD3
    config = TD3Config
    actions = (spaces.Box,)


def _ask_again(model: Any, env: VecEnv) -> None:
    """Let terms that can be asked again be asked when the replay buffer is sampled."""
    if not isinstance(env, ShapedVecEnv) or not env.rescored:
        return
    space, unpublish = model.action_space, env.shaper.unpublish

    def rescore(batch: Transitions) -> FloatArray:
        """Terms are given the environment's own observations, as when the steps were taken."""
        own, own_next = unpublish(batch.observations), unpublish(batch.next_observations)
        return env.rescore(replace(batch, observations=own, next_observations=own_next))

    def actions(stored: Any) -> Any:
        if isinstance(space, spaces.Box):
            stored = model.policy.unscale_action(stored)
        return stored.reshape(len(stored), *space.shape)

    model.replay_buffer.rescoring = Rescoring(env.rescored, rescore, actions)


def _filled(buffer: Any) -> dict[str, Any]:
    """A replay buffer's arrays up to where it is filled (most of it is empty for most of a run)."""
    rows = buffer.buffer_size if buffer.full else buffer.pos
    arrays: dict[str, Any] = {}
    for name, value in vars(buffer).items():
        if isinstance(value, np.ndarray) and value.shape[:1] == (buffer.buffer_size,):
            arrays[name] = value[:rows]
        elif isinstance(value, dict) and all(isinstance(entry, np.ndarray) for entry in value.values()):
            arrays[name] = {key: entry[:rows] for key, entry in value.items()}
    return {"pos": buffer.pos, "full": buffer.full, "arrays": arrays}


def _refill(buffer: Any, state: Mapping[str, Any]) -> None:
    buffer.pos, buffer.full = state["pos"], state["full"]
    for name, value in state["arrays"].items():
        target = getattr(buffer, name)
        if isinstance(value, dict):
            for key, entry in value.items():
                target[key][: len(entry)] = entry
        else:
            target[: len(value)] = value
