"""EXPLORS: a reward that the agent designs for itself while it explores, and what it is held to."""

from shaping.explors.sors import SorsTerm
from shaping.explors.tabular import DESIGNERS, LEARNERS, Designer, Settings, TabularLearner, Training, train
from shaping.explors.term import ExplorsTerm

__all__ = [
    "DESIGNERS",
    "LEARNERS",
    "Designer",
    "ExplorsTerm",
    "Settings",
    "SorsTerm",
    "TabularLearner",
    "Training",
    "train",
]
