"""What came of an episode: the figures that NetHack papers report."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import numpy as np
from nle import nethack

from envs.nethack.kernels import add_scouted
from envs.typing import Array, FloatArray, IntArray

STATISTICS = ("score", "dlvl", "gold", "kills", "scouted", "xlvl")
"""score: points of the game since the episode began. dlvl: deepest level reached. gold: the fullest
that the purse was. kills: monsters that the game said the hero killed or destroyed. scouted: cells
seen, over all levels (NetHackScout's count). xlvl: highest experience level."""

BRANCHES, LEVELS = 16, 64  # more than NetHack has
_KILL = re.compile(rb"You (?:kill|destroy) ")


class EpisodeStatistics:
    """Counts for a batch of games. Arrays over games in, (n, 6) out.

    Args:
        raw: nle's arrays, read at every `add`.
    """

    def __init__(self, raw: Mapping[str, Array]) -> None:
        n = len(raw["blstats"])
        self._glyphs, self._blstats = raw["glyphs"], raw["blstats"]
        self._values: FloatArray = np.zeros((n, len(STATISTICS)))
        self._first_score: IntArray = np.zeros(n, np.int64)
        self._seen = np.zeros((n, BRANCHES * LEVELS), np.int64)

    def begin(self, rows: IntArray) -> None:
        """Episodes begin in these games; their first screen is in the arrays."""
        self._values[rows] = 0.0
        self._seen[rows] = 0
        self._first_score[rows] = self._blstats[rows, nethack.NLE_BL_SCORE]
        self._look(rows)

    def add(self, text: Sequence[bytes]) -> None:
        """A step of every game, with its messages."""
        for index, words in enumerate(text):
            if words:
                self._values[index, 3] += len(_KILL.findall(words))
        self._look(np.arange(len(self._values)))

    def values(self, rows: IntArray) -> FloatArray:
        """The statistics (len(rows), 6) of the episodes so far."""
        return self._values[rows]

    def _look(self, rows: IntArray) -> None:
        add_scouted(
            self._glyphs, self._blstats, rows, nethack.GLYPH_CMAP_OFF, self._first_score, self._seen, self._values
        )
