"""Behavioural cloning: an agent that does what demonstrations do."""

from __future__ import annotations

from agents.cloning.agent import CloningAgent, CloningConfig
from agents.cloning.behavioural_cloning import BehaviouralCloning

__all__ = ["BehaviouralCloning", "CloningAgent", "CloningConfig"]
