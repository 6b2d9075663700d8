"""PPO and its kin, and A2C."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from gymnasium import spaces
from sb3_contrib import RecurrentPPO
from stable_baselines3 import A2C
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.vec_env import VecEnv

from agents.agent import AgentConfig, register
from agents.memory import refuse_beyond_memory, step_bytes
from agents.players import MaskedPlayer, Masks, Player, has_action_masks
from agents.sb3.algorithm import ABOVE_0, AT_LEAST_0, AT_LEAST_1, SHARE, SB3Agent, SB3Config
from agents.sb3.clipped_update import FastMaskablePPO, FastPPO


@dataclass
class PPOConfig(SB3Config):
    """Proximal policy optimisation."""

    learning_rate: float = 1e-3
    n_steps: int = 64  # per environment and rollout
    batch_size: int = 256
    n_epochs: int = 4
    gae_lambda: float = 0.95
    clip_range: float = 0.2
    clip_range_vf: float | None = None
    normalize_advantage: bool = True
    ent_coef: float = 0.01
    vf_coef: float = 0.5
    max_grad_norm: float = 0.5
    target_kl: float | None = None

    n_envs: ClassVar[int] = 32
    bounds: ClassVar[Mapping[str, Mapping[str, float]]] = {
        **dict.fromkeys(("n_steps", "batch_size", "n_epochs"), AT_LEAST_1),
        **dict.fromkeys(("clip_range", "clip_range_vf", "max_grad_norm", "target_kl"), ABOVE_0),
        "gae_lambda": SHARE,
        **dict.fromkeys(("ent_coef", "vf_coef"), AT_LEAST_0),
    }


@dataclass
class MaskablePPOConfig(PPOConfig):
    """PPO that never takes an action which the environment's action_masks() rules out."""


@dataclass
class RecurrentPPOConfig(PPOConfig):
    """PPO with an LSTM."""

    learning_rate: float = 5e-4
    n_steps: int = 128
    lstm_hidden_size: int = 128
    n_lstm_layers: int = 1

    n_envs: ClassVar[int] = 8
    bounds: ClassVar[Mapping[str, Mapping[str, float]]] = dict.fromkeys(
        ("lstm_hidden_size", "n_lstm_layers"), AT_LEAST_1
    )


@dataclass
class NetHackRecurrentPPOConfig(RecurrentPPOConfig):
    """recurrent_ppo as ONI and Motif have it for NetHack, at their sizes; needs a GPU to be fun."""

    features: str = "cdgpt5"
    learning_rate: float = 1e-4
    n_steps: int = 32
    batch_size: int = 1024
    n_epochs: int = 1
    clip_range: float = 0.1
    clip_range_vf: float | None = 1.0
    ent_coef: float = 0.003
    max_grad_norm: float = 4.0
    lstm_hidden_size: int = 512


@dataclass
class LightNetHackRecurrentPPOConfig(RecurrentPPOConfig):
    """The same entries and a smaller network, for CPUs."""

    features: str = "cdgpt5_light"
    batch_size: int = 512
    lstm_hidden_size: int = 128


@dataclass
class A2CConfig(SB3Config):
    """Advantage actor-critic."""

    learning_rate: float = 7e-4
    n_steps: int = 16
    gae_lambda: float = 1.0
    ent_coef: float = 0.01
    vf_coef: float = 0.5
    max_grad_norm: float = 0.5
    rms_prop_eps: float = 1e-5
    use_rms_prop: bool = True
    normalize_advantage: bool = False

    bounds: ClassVar[Mapping[str, Mapping[str, float]]] = {
        "n_steps": AT_LEAST_1,
        "gae_lambda": SHARE,
        **dict.fromkeys(("ent_coef", "vf_coef"), AT_LEAST_0),
        **dict.fromkeys(("max_grad_norm", "rms_prop_eps"), ABOVE_0),
    }


class OnPolicyAgent(SB3Agent):
    """An agent that learns from the rollout it has just collected."""

    def arguments(self, env: VecEnv, settings: dict[str, Any]) -> dict[str, Any]:
        refuse_beyond_memory("agent.n_steps", int(settings.get("n_steps", 1)), env.num_envs * step_bytes(env))
        return settings

    def build(self, env: VecEnv, **settings: Any) -> BaseAlgorithm:
        model = super().build(env, **settings)
        for module in model.policy.modules():
            if hasattr(module, "remembers"):
                module.remembers = True  # type: ignore[assignment] # no network here is written past autograd
        return model


@register("ppo")
class PPOAgent(OnPolicyAgent):
    """PPO (Schulman et al. 2017, arXiv 1707.06347)."""

    algorithm: ClassVar[type[BaseAlgorithm]] = FastPPO
    config: ClassVar[type[AgentConfig]] = PPOConfig
    actor_critic = True
    lean = True
    splits = True

    single = True
    """Does it leave a minibatch of one step as it is, whose advantage has no spread?"""

    def arguments(self, env: VecEnv, settings: dict[str, Any]) -> dict[str, Any]:
        if settings.get("normalize_advantage", True):
            if settings.get("batch_size", 64) < 2:
                raise ValueError(
                    "agent.batch_size=1 leaves no spread to normalise advantages by: give 2 or more, or "
                    "agent.normalize_advantage=false"
                )
            if env.num_envs * settings.get("n_steps", 2048) < 2:
                raise ValueError(
                    "n_envs=1 and agent.n_steps=1 make rollouts of one step, whose advantage cannot be normalised: "
                    "give more of either, or agent.normalize_advantage=false"
                )
            collected, batch = env.num_envs * settings.get("n_steps", 128), settings.get("batch_size", 64)
            if not self.single and collected % batch == 1:
                raise ValueError(
                    f"{collected} steps a rollout (n_envs × agent.n_steps) in minibatches of {batch} leave one of a "
                    "single step, whose advantage cannot be normalised: give another agent.batch_size or "
                    "agent.n_steps, or agent.normalize_advantage=false"
                )
        return super().arguments(env, settings)


@register("maskable_ppo")
class MaskablePPOAgent(PPOAgent):
    """PPO with invalid actions masked (Huang and Ontañón 2022, arXiv 2006.14171)."""

    algorithm = FastMaskablePPO
    config = MaskablePPOConfig
    lean = False
    single = False

    def refuse_spaces(self, env: VecEnv, policy: str) -> None:
        _refuse_unmasked(env)
        super().refuse_spaces(env, policy)

    def player(self, model: Any, n_envs: int, *, deterministic: bool, masks: Masks | None = None) -> Player:
        return MaskedPlayer(model, n_envs, masks, deterministic=deterministic)


@register("recurrent_ppo")
class RecurrentPPOAgent(PPOAgent):
    """PPO with an LSTM in actor and critic (sb3-contrib)."""

    algorithm = RecurrentPPO
    config = RecurrentPPOConfig
    presets = {"nethack": NetHackRecurrentPPOConfig, "nethack_light": LightNetHackRecurrentPPOConfig}
    policy_arguments = ("lstm_hidden_size", "n_lstm_layers")
    lean = False
    splits = False

    actions = (spaces.Box, spaces.Discrete, spaces.MultiDiscrete)
    single = False

    def refuse_spaces(self, env: VecEnv, policy: str) -> None:
        super().refuse_spaces(env, policy)
        space = env.observation_space
        entries = space.spaces.values() if isinstance(space, spaces.Dict) else [space]
        if any(isinstance(entry, spaces.MultiDiscrete) for entry in entries):
            raise ValueError(f"agent=recurrent_ppo cannot read MultiDiscrete observations ({space}); use agent=ppo.")

    def policy_name(self, name: str) -> str:
        return name.replace("Policy", "LstmPolicy")


@register("a2c")
class A2CAgent(OnPolicyAgent):
    """Synchronous A3C (Mnih et al. 2016, arXiv 1602.01783)."""

    algorithm = A2C
    config = A2CConfig
    lean = True

    def arguments(self, env: VecEnv, settings: dict[str, Any]) -> dict[str, Any]:
        if settings.get("normalize_advantage", False) and env.num_envs * settings.get("n_steps", 5) < 2:
            raise ValueError(
                "n_envs=1 and agent.n_steps=1 make rollouts of one step, whose advantage cannot be normalised: "
                "give more of either, or agent.normalize_advantage=false"
            )
        return super().arguments(env, settings)


def _refuse_unmasked(env: VecEnv) -> None:
    if isinstance(env.action_space, spaces.Box):
        raise ValueError(
            "agent=maskable_ppo masks discrete actions, and this environment's are continuous "
            f"({env.action_space}). Use agent=ppo."
        )
    if not has_action_masks(env):
        raise ValueError(
            "agent=maskable_ppo asks the environment for the valid actions at every step, and this environment "
            "has no action_masks() method. Use agent=ppo, or give the environment one."
        )
