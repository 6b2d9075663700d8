"""How bugs are made: one table of SWE-smith's thirteen techniques, by name."""

from __future__ import annotations

from envs.swe.tasks.techniques.classes import RemoveBases, RemoveMethod, ShuffleMethods
from envs.swe.tasks.techniques.flow import (
    InvertIf,
    RemoveAssign,
    RemoveIf,
    RemoveLoop,
    RemoveWrapper,
    ShuffleLines,
)
from envs.swe.tasks.techniques.operators import BreakChain, ChangeConstant, ChangeOperator, SwapOperands
from envs.swe.tasks.techniques.technique import Change, Technique

TECHNIQUES: dict[str, Technique] = {
    technique.name: technique
    for technique in (
        RemoveBases(),
        RemoveMethod(),
        ShuffleMethods(),
        InvertIf(),
        ShuffleLines(),
        RemoveAssign(),
        RemoveIf(),
        RemoveLoop(),
        RemoveWrapper(),
        BreakChain(),
        ChangeConstant(),
        ChangeOperator(),
        SwapOperands(),
    )
}

__all__ = ["TECHNIQUES", "Change", "Technique"]
