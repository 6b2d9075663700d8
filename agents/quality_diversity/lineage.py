"""Who came from whom."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from agents.quality_diversity.novelty import IntArray


def ancestry(parents: npt.ArrayLike, individual: int) -> IntArray:
    """Ids from the first ancestor to an individual, itself last.

    Args:
        parents: the id of each one's parent, a lower one; −1: nobody.
        individual: an id, the row in `parents`.

    Raises:
        ValueError: there is no such individual, or a parent that came later than its child.

    >>> ancestry([-1, 0, -1, 1], 3)
    array([0, 1, 3])
    """
    rows = np.asarray(parents)
    if not 0 <= individual < len(rows):
        raise ValueError(f"individual {individual}: there are {len(rows)}, counted from 0")
    line = [int(individual)]
    while (parent := int(rows[line[-1]])) >= 0:
        if parent >= line[-1]:
            raise ValueError(f"the parent of {line[-1]} is said to be {parent}, who came later: the history is damaged")
        line.append(parent)
    return np.array(line[::-1], np.int64)
