"""Kinesthetic rewards for cars and a ball (Lucy-SKG): components, combinations, the reward term."""

from shaping.kinesthetic.composition import combine, parse
from shaping.kinesthetic.presets import EVENTS, REWARDS
from shaping.kinesthetic.term import KinestheticTerm, expression

__all__ = ["EVENTS", "REWARDS", "KinestheticTerm", "combine", "expression", "parse"]
