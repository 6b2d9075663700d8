"""Off-policy adversarial imitation: TD3 and SAC that are paid by what tells them from an expert."""

from agents.imitation.agent import GailSACAgent, GailTD3Agent
from agents.imitation.algorithm import AdversarialImitationMixin, GailSAC, GailTD3
from agents.imitation.expert import Expert
from agents.imitation.learned_reward import LearnedReward
from agents.imitation.relabelled import RelabelledReplayBuffer
from agents.imitation.settings import Imitation

__all__ = [
    "AdversarialImitationMixin",
    "Expert",
    "GailSAC",
    "GailSACAgent",
    "GailTD3",
    "GailTD3Agent",
    "Imitation",
    "LearnedReward",
    "RelabelledReplayBuffer",
]
