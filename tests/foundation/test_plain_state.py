"""States go through files as they were, and reading them runs nothing."""

from __future__ import annotations

import enum
import os
import pickle
import random
from collections import Counter, OrderedDict, deque
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from foundation.plain_state import Untrusted, arrays, plain, read_state, write_state
from tests.payload import Payload


class Colour(enum.IntEnum):
    RED = 3


ARRAYS = [
    np.arange(6, dtype=np.uint64).reshape(2, 3),
    np.arange(12.0).reshape(3, 4)[:, ::2],
    np.array(2.5),
    np.zeros((0, 3), np.float32),
    np.array([True, False]),
    np.array(["ab", "c"]),
    np.array([1 + 2j]),
    np.array(["2020-01-01"], "datetime64[D]"),
    np.broadcast_to(np.float16(1.5), (2, 2)),
]


@pytest.mark.parametrize("array", ARRAYS, ids=lambda array: f"{array.dtype}{array.shape}")
def test_an_array_comes_back_as_it_was_and_may_be_written_to(array: Any, tmp_path: Path) -> None:
    write_state({"kept": [array]}, tmp_path / "state.pt")
    torch.load(tmp_path / "state.pt", weights_only=True)  # plain torch reads the file, too
    again = read_state(tmp_path / "state.pt")["kept"][0]
    assert again.dtype == array.dtype
    assert again.shape == array.shape
    np.testing.assert_array_equal(again, array)
    again[...] = again


def test_plain_values_random_states_and_tensors_come_back_as_they_were(tmp_path: Path) -> None:
    generator = np.random.default_rng(1).bit_generator.state
    state = {
        "python": random.getstate(),
        "numpy": np.random.default_rng(3).bit_generator.state,
        "numbers": (1, 2.5, True, None, 2**127, "ü"),
        7: {"nested": [[], {}, ()]},
        "generator": generator,
        "tensor": torch.arange(3.0),
    }
    write_state(state, tmp_path / "state.pt")
    again = read_state(tmp_path / "state.pt")
    assert torch.equal(again.pop("tensor"), state.pop("tensor"))
    assert again == state


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (np.float64(2.5), 2.5),
        (np.int8(3), 3),
        (np.bool_(True), True),
        (Colour.RED, 3),
        (Counter("aab"), {"a": 2, "b": 1}),
        (OrderedDict(a=1), {"a": 1}),
        (deque([1, 2], 5), [1, 2]),
    ],
)
def test_relatives_of_plain_values_become_plain(given: Any, kept: Any) -> None:
    value = arrays(plain(given))
    assert value == kept
    assert type(value) is type(kept)


@pytest.mark.parametrize(
    ("state", "says"),
    [
        ({"terms": {"count": [1, {2, 3}]}}, r"state\['terms'\]\['count'\]\[1\] is a set"),
        ({"a": object()}, "is a object"),
        ({"a": print}, "builtin_function_or_method"),
        ({"a": np.array([None])}, "array of object"),
        ({"a": np.zeros(1, "i4,f4")}, "array of"),
        ({"a": b"bytes"}, "is a bytes"),
        ({object(): 1}, "a key of the state"),
        ({"array": 1, "dtype": 2, "shape": 3}, "rename"),
    ],
)
def test_what_is_not_plain_is_refused_where_it_is_written_with_its_place(state: Any, says: str, tmp_path: Path) -> None:
    with pytest.raises(TypeError, match=says):
        write_state(state, tmp_path / "state.pt")


def test_a_state_with_pickled_arrays_as_checkpoints_once_had_them_is_read(tmp_path: Path) -> None:
    old = {"a": np.arange(3), "b": np.float64(2.5), "c": [np.array(["x"])], "d": Counter("aa")}
    old["e"] = np.random.get_state()  # noqa: NPY002
    torch.save(old, tmp_path / "state.pt")
    again = read_state(tmp_path / "state.pt")
    np.testing.assert_array_equal(again["a"], old["a"])
    assert again["b"] == 2.5
    assert again["d"] == {"a": 2}
    np.testing.assert_array_equal(again["e"][1], old["e"][1])


@pytest.mark.parametrize("protocol", [2, 4])
@pytest.mark.parametrize("inside", [False, True])
def test_a_payload_is_refused_unrun_unless_it_is_trusted(tmp_path: Path, protocol: int, inside: bool) -> None:
    marker = tmp_path / "marker"
    bad: Any = Payload(marker)
    if inside:
        bad = np.array([Payload(marker)], object)  # an array of objects hides it
    torch.save({"a": bad}, tmp_path / "state.pt", pickle_protocol=protocol)
    (tmp_path / "raw.pt").write_bytes(pickle.dumps({"a": bad}, protocol))
    for name in ("state.pt", "raw.pt"):
        with pytest.raises(Untrusted, match="trust=true"):
            read_state(tmp_path / name)
        assert not marker.exists()
    read_state(tmp_path / "state.pt", trust=True)
    assert marker.exists()


@pytest.mark.parametrize("trust", [False, True])
def test_a_damaged_file_is_named(tmp_path: Path, trust: bool) -> None:
    path = tmp_path / "state.pt"
    write_state({"a": list(range(1000))}, path)
    os.truncate(path, 500)
    with pytest.raises(ValueError, match=r"state\.pt is damaged"):
        read_state(path, trust=trust)
    with pytest.raises(FileNotFoundError):
        read_state(tmp_path / "none.pt", trust=trust)


@pytest.mark.parametrize("dtype", ["|O", "O", "i4,f4", "<f8; 1"])
def test_no_array_of_objects_comes_of_a_file(tmp_path: Path, dtype: str) -> None:
    torch.save({"array": torch.zeros(8, dtype=torch.uint8), "dtype": dtype, "shape": (1,)}, tmp_path / "state.pt")
    with pytest.raises(ValueError, match="there is no array of"):
        read_state(tmp_path / "state.pt")
