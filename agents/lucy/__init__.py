"""Lucy-SKG's agent: PPO with attention over cars and ball, and two auxiliary losses."""

from agents.lucy.agent import LucyAgent
from agents.lucy.aux_ppo import AuxPPO
from agents.lucy.policy import AuxiliaryPolicy

__all__ = ["AuxPPO", "AuxiliaryPolicy", "LucyAgent"]
