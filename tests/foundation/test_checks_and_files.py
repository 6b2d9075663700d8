"""Arguments are refused with their bounds, and files are whole or not there."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

import pytest

from foundation import files
from foundation.checks import number, whole
from foundation.files import replace_json, replace_text, whole_file


@pytest.mark.parametrize(
    ("bounds", "value", "says"),
    [
        ({}, float("nan"), "that is finite"),
        ({"least": 0}, float("inf"), "of at least 0"),
        ({"least": 0, "most": 1}, 1.1, "from 0 to 1"),
        ({"above": 0}, 0.0, "above 0"),
        ({"above": 0, "most": 1}, 2.0, "above 0 and of at most 1"),
        ({"least": 0, "below": 1}, 1.0, "of at least 0 and below 1"),
    ],
)
def test_a_number_outside_its_bounds_is_refused_with_them(bounds: dict[str, Any], value: float, says: str) -> None:
    with pytest.raises(ValueError, match=f"rate={value}: expected a number.*{says}"):
        number("rate", value, **bounds)


def test_a_number_within_its_bounds_is_given_back() -> None:
    assert number("rate", 0.0, least=0, most=1) == 0.0
    assert number("rate", 0.5, above=0, below=1) == 0.5
    assert whole("n", 1) == 1
    for wrong in (0, True):
        with pytest.raises(ValueError, match="n="):
            whole("n", wrong)


def test_a_disk_that_is_full_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "summary.json"
    replace_text(path, "old")

    def full(_path: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(files, "sync", full)
    with pytest.raises(OSError, match="No space left"):
        replace_text(path, "new", durable=True)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_writer_that_fails_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "result.json"
    replace_text(path, "old", durable=True)

    def fails_half_way() -> None:
        with whole_file(path) as part:
            part.write_text("half")
            raise RuntimeError("the disk is full")

    with pytest.raises(RuntimeError, match="full"):
        fails_half_way()
    with pytest.raises(ValueError, match="not JSON compliant"):
        replace_json(path, float("nan"))
    assert path.read_text() == "old"
    assert [entry.name for entry in path.parent.iterdir()] == ["result.json"]
