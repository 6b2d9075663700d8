"""Behavioural cloning as settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from gymnasium import spaces
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.vec_env import VecEnv

from agents.agent import register
from agents.cloning.behavioural_cloning import BehaviouralCloning
from agents.restoring import Vacant
from agents.sb3.algorithm import ABOVE_0, AT_LEAST_0, AT_LEAST_1, SB3Config
from agents.sb3.on_policy import OnPolicyAgent
from foundation.demonstrations import environment_of, read_demonstrations


@dataclass
class CloningConfig(SB3Config):
    """Behavioural cloning."""

    demonstrations: Any = field(default_factory=list)  # files of scripts.record_demonstrations: one, or a list
    learning_rate: float = 1e-3
    n_steps: int = 256  # of every environment between two rounds of updates, to show how it does
    updates: int = 200  # gradient steps of a round
    batch_size: int = 64
    weight_decay: float = 0.0  # of Adam: the squared length of the weights
    ent_coef: float = 1e-3
    max_grad_norm: float = 1.0
    held_out: float = 0.1  # share of the episodes that tell when to stop, rounded down
    patience: int = 0  # rounds without a better likelihood of those; 0: it never stops

    bounds: ClassVar[Mapping[str, Mapping[str, float]]] = {
        **dict.fromkeys(("n_steps", "updates", "batch_size"), AT_LEAST_1),
        **dict.fromkeys(("weight_decay", "ent_coef", "patience"), AT_LEAST_0),
        "max_grad_norm": ABOVE_0,
        "held_out": {"least": 0.0, "below": 1.0},
    }


@register("bc")
class CloningAgent(OnPolicyAgent):
    """Behavioural cloning of demonstrations (Pomerleau 1991)."""

    algorithm: ClassVar[type[BaseAlgorithm]] = BehaviouralCloning
    config = CloningConfig

    def build(self, env: VecEnv, *, weight_decay: float = 0.0, **settings: Any) -> BaseAlgorithm:
        policy_kwargs = dict(settings.pop("policy_kwargs", None) or {})
        if weight_decay:
            given = policy_kwargs.get("optimizer_kwargs", {})
            policy_kwargs["optimizer_kwargs"] = {"eps": 1e-5, "weight_decay": weight_decay, **given}
        return super().build(env, policy_kwargs=policy_kwargs, **settings)

    def arguments(self, env: VecEnv, settings: dict[str, Any]) -> dict[str, Any]:
        files: str | Sequence[str] = settings.pop("demonstrations", ())
        settings["demonstrations"] = None
        if not isinstance(env, Vacant):
            if not files:
                raise ValueError(
                    "agent=bc learns from demonstrations: give agent.demonstrations=FILE.npz, of "
                    "python -m scripts.record_demonstrations"
                )
            demonstrations = read_demonstrations(files)
            demonstrations.check(env.observation_space, env.action_space, environment_of(env))
            settings["demonstrations"] = demonstrations
        return super().arguments(env, settings)

    def refuse_actions(self, space: spaces.Space[Any]) -> None:
        super().refuse_actions(space)
        if isinstance(space, spaces.Box) and len(space.shape) != 1:
            raise ValueError(f"agent=bc needs continuous actions in one row, and these are {space}: flatten them.")
