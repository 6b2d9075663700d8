"""Soft Q-learning for discrete actions: an agent that keeps its options open."""

from agents.soft_dqn.agent import SoftDQNAgent
from agents.soft_dqn.algorithm import SoftDQN

__all__ = ["SoftDQN", "SoftDQNAgent"]
