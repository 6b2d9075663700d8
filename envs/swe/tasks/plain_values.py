"""Plain values in writing: one text for one value, its types included.

A result is compared by this text, so True is not 1, a tuple no list, and an object whose `__eq__`
says yes to everything equals nothing. Runs on the standard library alone: see `trial`.
"""

from __future__ import annotations

_ATOMS = frozenset({type(None), bool, int, float, str, bytes})


def written(value: object) -> str:
    """`repr` of a plain value; the members of sets are sorted, so that hash seeds do not matter.

    Raises:
        TypeError: it is or holds something else than None, bool, int, float, str, bytes, list,
            tuple, dict and set, subclasses included.

    >>> written(({2, 1}, [True]))
    '({1, 2}, [True])'
    """
    kind = type(value)
    if kind in _ATOMS:
        return repr(value)
    if kind is list:
        return "[" + ", ".join(map(written, value)) + "]"  # type: ignore[call-overload]
    if kind is tuple:
        inner = ", ".join(map(written, value))  # type: ignore[call-overload]
        return f"({inner},)" if len(value) == 1 else f"({inner})"  # type: ignore[arg-type]
    if kind is dict:
        return "{" + ", ".join(f"{written(k)}: {written(v)}" for k, v in value.items()) + "}"  # type: ignore[attr-defined]
    if kind is set:
        return "{" + ", ".join(sorted(map(written, value))) + "}" if value else "set()"  # type: ignore[call-overload]
    raise TypeError(f"{kind.__name__} is no plain value")
