"""CALM: subgoals that a language model names and recognises.

Source: Pignatelli et al. 2024, arXiv 2409.12798.
"""

from shaping.calm.judge import SubgoalJudge
from shaping.calm.subgoals import Subgoal
from shaping.calm.term import CalmTerm

__all__ = ["CalmTerm", "Subgoal", "SubgoalJudge"]
