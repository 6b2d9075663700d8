"""Checks of arguments: each gives the value back, or a ValueError says what is expected."""

from __future__ import annotations

import math
from collections.abc import Iterable
from numbers import Real
from typing import TypeVar

from foundation.naming import nearest

T = TypeVar("T", int, float)


def one_of(name: str, value: str, allowed: Iterable[str]) -> str:
    """`value`, where it is among those allowed.

    >>> one_of("form", "captoin", ("caption", "crop"))
    Traceback (most recent call last):
    ValueError: form='captoin': expected one of caption, crop. Did you mean caption?
    """
    allowed = tuple(allowed)
    if value not in allowed:
        hint = nearest(str(value), allowed, most=1)
        raise ValueError(f"{name}={value!r}: expected one of {', '.join(allowed)}{'.' + hint if hint else ''}")
    return value


def number(
    name: str,
    value: float,
    *,
    least: float = -math.inf,
    most: float = math.inf,
    above: float | None = None,
    below: float | None = None,
) -> float:
    """`value`, where it is finite and within its bounds.

    `least` and `most` are included, `above` and `below` are not.

    >>> number("rate", 1.5, least=0, most=1)
    Traceback (most recent call last):
    ValueError: rate=1.5: expected a number from 0 to 1
    """
    given: object = value  # a person's word may be of any type
    fits = isinstance(given, Real) and math.isfinite(value) and least <= value <= most
    fits = fits and (above is None or value > above) and (below is None or value < below)
    if not fits:
        raise ValueError(f"{name}={value}: expected a number{_bounds(least, most, above, below)}")
    return value


def whole(name: str, value: int, *, least: int = 1, most: float = math.inf) -> int:
    """`value`, where it is a whole number of at least `least` and at most `most`.

    >>> whole("orders", 0)
    Traceback (most recent call last):
    ValueError: orders=0: expected a whole number of at least 1
    """
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        bounds = f"of at least {least}" if most == math.inf else f"from {least} to {most}"
        raise ValueError(f"{name}={value}: expected a whole number {bounds}")
    return value


def _bounds(least: float, most: float, above: float | None, below: float | None) -> str:
    low = f"above {above:g}" if above is not None else f"of at least {least:g}" if least > -math.inf else ""
    high = f"below {below:g}" if below is not None else f"of at most {most:g}" if most < math.inf else ""
    if above is None and below is None and low and high:
        return f" from {least:g} to {most:g}"
    words = " and ".join(word for word in (low, high) if word)
    return f" {words}" if words else " that is finite"
