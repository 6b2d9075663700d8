"""Spaces as plain values, for the header of a file, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from gymnasium import spaces


def described(space: spaces.Space[Any]) -> dict[str, Any]:
    """A space as JSON has it.

    Bounds that are the same everywhere are one number; what is not finite is a text ("inf").

    >>> described(spaces.Discrete(3))
    {'kind': 'Discrete', 'n': 3, 'start': 0}

    Raises:
        ValueError: a space of another kind than Box, Discrete, MultiDiscrete, MultiBinary or a Dict
            of them.
    """
    if isinstance(space, spaces.Dict):
        return {"kind": "Dict", "entries": {name: described(entry) for name, entry in space.spaces.items()}}
    if isinstance(space, spaces.Box):
        return {
            "kind": "Box",
            "shape": list(space.shape),
            "dtype": np.dtype(space.dtype).name,
            "low": _bound(space.low),
            "high": _bound(space.high),
        }
    if isinstance(space, spaces.Discrete):
        return {"kind": "Discrete", "n": int(space.n), "start": int(space.start)}
    if isinstance(space, spaces.MultiDiscrete):
        return {"kind": "MultiDiscrete", "nvec": space.nvec.tolist()}
    if isinstance(space, spaces.MultiBinary):
        return {"kind": "MultiBinary", "n": space.n if isinstance(space.n, int) else list(space.n)}
    raise ValueError(f"{space} cannot be written down; expected Box, Discrete, MultiDiscrete, MultiBinary, or a Dict")


def space_of(description: Mapping[str, Any]) -> spaces.Space[Any]:
    """The space of a description.

    Raises:
        ValueError: it is none.
    """
    try:
        kind = description["kind"]
        if kind == "Dict":
            return spaces.Dict({name: space_of(entry) for name, entry in description["entries"].items()})
        if kind == "Box":
            shape, dtype = tuple(description["shape"]), np.dtype(description["dtype"])
            low, high = (_array(description[bound], shape, dtype) for bound in ("low", "high"))
            return spaces.Box(low, high, shape, dtype.type)
        if kind == "Discrete":
            return spaces.Discrete(description["n"], start=description["start"])
        if kind == "MultiDiscrete":
            return spaces.MultiDiscrete(np.asarray(description["nvec"]))
        if kind == "MultiBinary":
            return spaces.MultiBinary(description["n"])
    except (KeyError, TypeError, AttributeError, AssertionError) as error:
        raise ValueError(f"{dict(description)!r} describes no space: {error!r}") from error
    raise ValueError(f"{dict(description)!r} describes no space")


def _bound(bound: Any) -> Any:
    values = np.asarray(bound)
    flat = values.ravel().tolist()
    if flat and (values == values.flat[0]).all():
        return _plain(flat[0])
    return [_plain(value) for value in flat]


def _plain(value: float) -> float | str:
    return value if np.isfinite(value) else str(value)


def _array(bound: Any, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Any:
    values = [float(value) for value in bound] if isinstance(bound, list) else float(bound)
    full = np.broadcast_to(np.reshape(values, shape) if isinstance(values, list) else values, shape)
    return full.astype(dtype)
