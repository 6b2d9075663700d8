"""Rewards designed by who knows the process: EXPRD and EXPADARD.

Sources: Devidze et al. 2021 (EXPRD); Devidze, Kamalaruban and Singla 2024 (EXPADARD).
"""

from shaping.designed.abstraction import Bins, Steps, estimated
from shaping.designed.expadard import Expadard, expadard, invariance_only
from shaping.designed.exprd import exprd
from shaping.designed.handmade import landmarks, pbrs
from shaping.designed.informativeness import Measure, informativeness
from shaping.designed.invariance import Invariance, invariant
from shaping.designed.programme import Infeasible
from shaping.designed.result import DesignResult, verified
from shaping.designed.structures import structure
from shaping.designed.table import RewardTable, designed_table, read_table
from shaping.designed.term import DesignedTerm

__all__ = [
    "Bins",
    "DesignResult",
    "DesignedTerm",
    "Expadard",
    "Infeasible",
    "Invariance",
    "Measure",
    "RewardTable",
    "Steps",
    "designed_table",
    "estimated",
    "expadard",
    "exprd",
    "informativeness",
    "invariance_only",
    "invariant",
    "landmarks",
    "pbrs",
    "read_table",
    "structure",
    "verified",
]
