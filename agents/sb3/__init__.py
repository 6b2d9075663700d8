"""The algorithms of Stable-Baselines3 and its contrib package."""

from agents.sb3.off_policy import DQNAgent, QRDQNAgent, SACAgent, TD3Agent
from agents.sb3.on_policy import A2CAgent, MaskablePPOAgent, PPOAgent, RecurrentPPOAgent

__all__ = [
    "A2CAgent",
    "DQNAgent",
    "MaskablePPOAgent",
    "PPOAgent",
    "QRDQNAgent",
    "RecurrentPPOAgent",
    "SACAgent",
    "TD3Agent",
]
