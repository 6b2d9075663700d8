"""BARFI: learns how task and terms are blended, and the discount (Gupta et al. 2023)."""

from __future__ import annotations

from agents.behaviour_alignment.agent import BARFIAgent, BARFIConfig
from agents.behaviour_alignment.algorithm import BARFI

__all__ = ["BARFI", "BARFIAgent", "BARFIConfig"]
