"""The clock that every game sees. It stands still: an episode hangs on its seed alone.

NetHack asks for the time when a game begins; the names of shopkeepers come from it. (What happens
at night and by which moon, nle takes from the seed.)
"""

from __future__ import annotations

from typing import Any

from numba import carray, cfunc, types

NOON = 1_591_012_800
"""Seconds since 1970: 1 June 2020, 12:00 UTC, which is June 2020 in every time zone."""


@cfunc(types.int64(types.CPointer(types.int64)), cache=True)
def _time(place: Any) -> int:
    """C's `time_t time(time_t *place)`."""
    written = carray(place, 1)
    if written.ctypes.data:
        written[0] = NOON
    return NOON


TIME: int = _time.address or 0
"""Where the function lies, for C to call."""
