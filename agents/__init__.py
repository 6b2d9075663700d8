"""What learns: every algorithm is a Stable-Baselines3 `BaseAlgorithm` (learn, predict, save, load)."""

from agents.build import algorithms, build

__all__ = ["algorithms", "build"]
