"""Soft Q-learning as an agent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from stable_baselines3.common.base_class import BaseAlgorithm

from agents.action_probabilities import ActionProbabilities
from agents.agent import AgentConfig, register
from agents.sb3.algorithm import ABOVE_0
from agents.sb3.off_policy import DQNAgent, DQNConfig
from agents.soft_dqn.algorithm import SoftDQN, SoftLearner
from shaping import Learner


@dataclass
class SoftDQNConfig(DQNConfig):
    """DQN that is paid for entropy: it acts as variedly as its return allows."""

    alpha: float = 0.1  # the temperature: what a nat of entropy is worth, in units of reward
    exploration_fraction: float = 0.1
    exploration_final_eps: float = 0.0  # it explores by its own draws

    bounds: ClassVar[Mapping[str, Mapping[str, float]]] = {"alpha": ABOVE_0}


@register("soft_dqn")
class SoftDQNAgent(DQNAgent):
    """Soft Q-learning (Haarnoja et al. 2017, arXiv 1702.08165) for discrete actions."""

    algorithm: ClassVar[type[BaseAlgorithm]] = SoftDQN
    config: ClassVar[type[AgentConfig]] = SoftDQNConfig

    def learner(self, model: Any) -> Learner:
        return SoftLearner(model)

    def action_probabilities(self, model: Any, temperature: float = 1.0) -> ActionProbabilities:
        """Of exp(Q/(α · temperature)): 1 is how it learned to act."""
        return ActionProbabilities(model, temperature * model.alpha)
