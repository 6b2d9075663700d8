"""Lucy-SKG's agent, and Necto's network, as settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from gymnasium import spaces
from stable_baselines3.common.vec_env import VecEnv

from agents.agent import register
from agents.features import reads_matrix
from agents.lucy.aux_ppo import AuxPPO
from agents.sb3.algorithm import AT_LEAST_0, AT_LEAST_1
from agents.sb3.on_policy import PPOAgent, PPOConfig


@dataclass
class LucyConfig(PPOConfig):
    """Lucy-SKG's PPO, at its sizes: attention, two auxiliary losses. For a GPU."""

    features: str = "perceiver"
    net_arch: Any = field(default_factory=list)
    policy_kwargs: dict[str, Any] = field(default_factory=lambda: {"features_extractor_kwargs": {"key_features": 23}})
    learning_rate: float = 1e-4
    gamma: float = 0.99539  # half of a reward is left after 10 seconds
    n_steps: int = 4000
    batch_size: int = 4000
    n_epochs: int = 10
    ent_coef: float = 0.0
    reward_prediction: float = 1.0  # weights of the auxiliary losses; 0: none
    state_representation: float = 1.0
    reward_threshold: float = 0.009  # rewards beyond it are positive or negative
    sequence_length: int = 20  # observations that the reward is predicted from
    relu_output: bool = False  # of the state representation, as in the released code

    n_envs: ClassVar[int] = 80
    bounds: ClassVar[Mapping[str, Mapping[str, float]]] = {
        **dict.fromkeys(("reward_prediction", "state_representation", "reward_threshold"), AT_LEAST_0),
        "sequence_length": AT_LEAST_1,
    }


@dataclass
class LightLucyConfig(LucyConfig):
    """The same at half the width and one block, for CPUs."""

    policy_kwargs: dict[str, Any] = field(
        default_factory=lambda: {
            "features_extractor_kwargs": {"key_features": 23, "width": 64, "blocks": 1, "feedforward": 128}
        }
    )
    learning_rate: float = 7e-4
    gamma: float = 0.99
    n_steps: int = 128
    batch_size: int = 1536
    n_epochs: int = 4
    ent_coef: float = 0.005

    n_envs: ClassVar[int] = 48


@dataclass
class NectoConfig(LucyConfig):
    """Necto's network and its learner's sizes, for env.kwargs.observation=necto."""

    policy_kwargs: dict[str, Any] = field(
        default_factory=lambda: {"features_extractor_kwargs": {"key_features": 24, "pre_norm": True}}
    )
    gamma: float = 0.995
    n_steps: int = 12_500
    batch_size: int = 10_000
    n_epochs: int = 30
    ent_coef: float = 0.01
    reward_prediction: float = 0.0
    state_representation: float = 0.0


@register("lucy")
class LucyAgent(PPOAgent):
    """PPO with auxiliary losses (Moschopoulos et al. 2023, arXiv 2305.15801)."""

    algorithm = AuxPPO
    config = LucyConfig
    presets = {"light": LightLucyConfig, "necto": NectoConfig}
    lean = False

    def refuse_spaces(self, env: VecEnv, policy: str) -> None:
        _refuse_other_than_a_matrix(env.observation_space)
        super().refuse_spaces(env, policy)


def _refuse_other_than_a_matrix(space: spaces.Space[Any]) -> None:
    if isinstance(space, spaces.Dict):
        raise ValueError(
            f"agent=lucy attends over the rows of one matrix, and this environment observes {', '.join(space.spaces)}. "
            "Terms that publish what they remember add such entries (shaping=events does): use shaping=kinesthetic, "
            "count, rnd or none, or agent=ppo."
        )
    if not reads_matrix(space):
        raise ValueError(
            f"agent=lucy attends over the rows of a matrix, and this environment observes {space}. Use an environment "
            "of the family rocket with env.kwargs.observation=lucy or necto, or agent=ppo."
        )
