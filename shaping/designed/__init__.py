"""Rewards designed by who knows the process: EXPRD and EXPADARD.

Sources: Devidze et al. 2021 (EXPRD); Devidze, Kamalaruban and Singla 2024 (EXPADARD).
"""

from shaping.designed.expadard import Expadard, expadard, invariance_only
from shaping.designed.exprd import exprd
from shaping.designed.handmade import landmarks, pbrs
from shaping.designed.informativeness import Measure, informativeness
from shaping.designed.invariance import Invariance, invariant
from shaping.designed.programme import Infeasible
from shaping.designed.result import DesignResult
from shaping.designed.structures import structure

__all__ = [
    "DesignResult",
    "Expadard",
    "Infeasible",
    "Invariance",
    "Measure",
    "expadard",
    "exprd",
    "informativeness",
    "invariance_only",
    "invariant",
    "landmarks",
    "pbrs",
    "structure",
]
