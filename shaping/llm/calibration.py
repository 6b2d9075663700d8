"""Where the scores of yes end and those of no begin."""

from __future__ import annotations

import itertools
import logging
import threading
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

import numpy as np

from shaping.llm.errors import LanguageModelError, Rejected

log = logging.getLogger(__name__)

Example = TypeVar("Example")


class Threshold(Generic[Example]):
    """A threshold set once on examples that are judged like everything else.

    An example that the model has no usable answer to is left out, and not asked about again: one
    odd answer shall not silence all others. There must be one left of either kind.

    Args:
        examples: with what each is, True for yes.
        score: asks for an example's score; raises `LanguageModelError`.
        known: its score without asking, None where it would have to be asked for.
    """

    def __init__(
        self,
        examples: Sequence[tuple[Example, bool]],
        score: Callable[[Example], float],
        known: Callable[[Example], float | None],
    ) -> None:
        self._examples = examples
        self._score, self._known = score, known
        self._rejected: set[int] = set()  # places of examples
        self._asking = threading.Lock()
        self.value: float | None = None
        """None as long as it was not set."""

    def ask(self) -> float:
        """The threshold; asks for the examples the first time.

        Raises:
            Unavailable, NotRecorded: they were not answered.
            Rejected: too few of the answers can be used.
        """
        with self._asking:
            if self.value is None:
                scores = {}
                for place, (example, _) in enumerate(self._examples):
                    if place not in self._rejected:
                        try:
                            scores[place] = self._score(example)
                        except Rejected as error:
                            self._rejected.add(place)
                            log.warning("an example for the threshold was not answered, it is left out: %s", error)
                self.value = self._set(scores)
            return self.value

    def known(self, recorded: bool = False) -> float | None:
        """The threshold, if that costs nothing.

        Args:
            recorded: nobody can be asked, and examples without a recorded answer are left out.
        """
        if self.value is None:
            scores = {}
            for place, (example, _) in enumerate(self._examples):
                score = None if place in self._rejected else self._known(example)
                if score is not None:
                    scores[place] = score
                elif not recorded and place not in self._rejected:
                    return None
            try:
                self.value = self._set(scores)
            except LanguageModelError:
                return None
        return self.value

    def _set(self, scores: dict[int, float]) -> float:
        sides = [
            [score for place, score in scores.items() if self._examples[place][1] is side] for side in (True, False)
        ]
        if not all(sides):
            raise Rejected(
                f"the model answers only {len(scores)} of the {len(self._examples)} examples that its threshold is set "
                "on, and none of one kind; take another model"
            )
        return calibrated(*sides)


def calibrated(achieved: Sequence[float], nothing: Sequence[float]) -> float:
    """The threshold with the best balanced accuracy; the middle of where it may lie.

    >>> calibrated([2.0, 1.0], [-1.0, -3.0])
    0.0
    """
    values = sorted({*achieved, *nothing})
    edges = [values[0] - 1.0, *((a + b) / 2 for a, b in itertools.pairwise(values)), values[-1] + 1.0]
    above, below = np.array(achieved), np.array(nothing)
    quality = [(above > edge).mean() + (below <= edge).mean() for edge in edges]
    best = [edge for edge, value in zip(edges, quality, strict=True) if value >= max(quality) - 1e-9]
    return float(best[len(best) // 2])
