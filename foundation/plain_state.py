"""States in files that are read without running anything: plain values, tensors and arrays.

A pickle is a program, and reading one runs it. What is written here holds nothing but what torch's
own reader takes with ``weights_only=True``; arrays become tensors of bytes, and arrays again.
"""

from __future__ import annotations

import contextlib
import pickle
import re
from collections import Counter, deque
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

_ARRAY = {"array", "dtype", "shape"}
_DTYPE = re.compile(r"[<>|=][biufcSUmM]\d+(\[\w+\])?")  # no objects among them
_SCALARS = (bool, int, float, str)


class Untrusted(ValueError):
    """Something that would have to be run to be read, from somebody who may be anybody."""


def write_state(state: Any, path: Path) -> None:
    """Write a state to a file.

    Args:
        state: numbers, strings, None, tensors, numpy's arrays and scalars, and dicts, lists, deques
            and tuples of them.
        path: of the file.

    Raises:
        TypeError: it holds something else; the message says where.
        OSError, RuntimeError: the disk is full or fails.
    """
    torch.save(plain(state), path)


def read_state(path: Path, *, trust: bool = False) -> Any:
    """What `write_state` wrote. Deques come back as lists, numpy's scalars as Python's.

    Also reads what `torch.save` wrote of the same, arrays pickled, as checkpoints once had them.

    Args:
        path: of the file.
        trust: where it holds other objects, unpickle them, which runs whatever the file says.

    Raises:
        Untrusted: it holds other objects, and is not trusted.
        ValueError: it is damaged.
        FileNotFoundError: there is none.
    """
    try:
        with _numpy_of_old():
            return arrays(torch.load(path, map_location="cpu", weights_only=True))
    except pickle.UnpicklingError as error:
        if trust:
            return arrays(torch.load(path, map_location="cpu", weights_only=False))
        raise Untrusted(
            f"{path} holds more than plain values ({_refused(error)}): reading it would run whatever it says. If you "
            "trust whoever made it, say trust=true; see docs/trust.md."
        ) from error
    except (RuntimeError, ValueError, EOFError, KeyError, AttributeError, TypeError) as error:
        raise ValueError(f"{path} is damaged and cannot be read: {str(error).splitlines()[0]}") from error


def plain(value: Any, where: str = "the state") -> Any:
    """A state of plain values and tensors alone; `arrays` undoes it.

    Raises:
        TypeError: it holds something else; `where` is what the message calls the whole.
    """
    if isinstance(value, np.generic):
        return plain(value.item(), where)
    if value is None or type(value) in _SCALARS:
        return value
    if isinstance(value, torch.Tensor):
        return value.detach()
    if isinstance(value, np.ndarray):
        return _packed(value, where)
    if isinstance(value, Mapping):
        if set(value) == _ARRAY:
            raise TypeError(f"{where} has the keys {', '.join(sorted(_ARRAY))}, which mean an array; rename one")
        return {plain(key, f"a key of {where}"): plain(entry, f"{where}[{key!r}]") for key, entry in value.items()}
    if isinstance(value, tuple):
        return tuple(plain(entry, f"{where}[{index}]") for index, entry in enumerate(value))
    if isinstance(value, list | deque):
        return [plain(entry, f"{where}[{index}]") for index, entry in enumerate(value)]
    for scalar in _SCALARS:
        if isinstance(value, scalar):  # an enumeration's member
            return scalar(value)
    raise TypeError(
        f"{where} is a {type(value).__qualname__}. A state holds numbers, strings, tensors, arrays, and dicts, lists "
        "and tuples of them, so that it can be read without unpickling: give what is in it instead."
    )


def arrays(value: Any) -> Any:
    """A state as it was before `plain`."""
    if isinstance(value, dict):
        if set(value) == _ARRAY:
            return _unpacked(value)
        return {key: arrays(entry) for key, entry in value.items()}
    if isinstance(value, list | deque):
        return [arrays(entry) for entry in value]
    return tuple(map(arrays, value)) if type(value) is tuple else value


def _packed(array: np.ndarray[Any, Any], where: str) -> dict[str, Any]:
    if not _DTYPE.fullmatch(array.dtype.str):
        raise TypeError(f"{where} is an array of {array.dtype}; a state holds arrays of numbers and strings alone")
    flat = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
    data = torch.from_numpy(flat if flat.flags.writeable else flat.copy())
    return {"array": data, "dtype": array.dtype.str, "shape": array.shape}


def _unpacked(packed: Mapping[str, Any]) -> np.ndarray[Any, Any]:
    if not _DTYPE.fullmatch(packed["dtype"]):
        raise TypeError(f"there is no array of {packed['dtype']!r}")
    return np.asarray(packed["array"].numpy().view(packed["dtype"]).reshape(packed["shape"]))


@contextlib.contextmanager
def _numpy_of_old() -> Iterator[None]:
    """Lets torch's reader make arrays, scalars and counters, which run nothing by being made."""
    core = np._core.multiarray  # type: ignore[attr-defined]
    makers: list[Any] = [np.ndarray, np.dtype, deque, Counter]
    for maker in (core._reconstruct, core.scalar):
        makers += [(maker, f"numpy.{package}.multiarray.{maker.__name__}") for package in ("_core", "core")]
    makers += [kind for name, kind in vars(np.dtypes).items() if name.endswith("DType") and name != "ObjectDType"]
    with torch.serialization.safe_globals(makers):
        yield


def _refused(error: Exception) -> str:
    """What torch's reader did not take, in a few words."""
    named = re.search(r"GLOBAL (\S+) was not an allowed global", str(error))
    return named[1] if named else str(error).strip().splitlines()[-1][:200]
