"""The nearest right name for one that does not exist."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

_CUTOFF = 0.4  # of difflib's similarity; below it a suggestion confuses more than it helps


def nearest(word: str, words: Iterable[str], *, most: int = 2) -> str:
    """' Did you mean a or b?', or '' where nothing is near.

    >>> nearest("evnts", ["events", "rnd"])
    ' Did you mean events?'
    """
    near = difflib.get_close_matches(word, list(dict.fromkeys(words)), n=most, cutoff=_CUTOFF)
    return f" Did you mean {' or '.join(near)}?" if near else ""


def unknown(what: str, name: str, known: Iterable[str]) -> ValueError:
    """The error for an unknown name: gives the nearest names, or all where nothing is near.

    >>> raise unknown("agent", "pppo", ["ppo", "a2c"])
    Traceback (most recent call last):
    ValueError: there is no agent 'pppo'. Did you mean ppo?
    """
    names = list(known)
    hint = nearest(name, names) or f" There are {', '.join(names) or 'none'}."
    return ValueError(f"there is no {what} {name!r}.{hint}")
