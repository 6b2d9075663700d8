"""RUN/progress.csv: one row a rollout, unbroken over kills, resumes and full disks."""

from __future__ import annotations

import csv
import io
import os
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stable_baselines3.common.logger import KVWriter, filter_excluded_keys

from foundation.files import whole_file

STEPS = "time/total_timesteps"


class ProgressCsv(KVWriter):
    """Appends each dump of an SB3 logger as a row; a key not seen before becomes a new column.

    A row is one write, flushed; the file is rewritten (new column, resume) through a temporary file
    and a rename. So a kill leaves at worst a half-written last line, which the next opening
    removes. A failed write keeps its row in memory for the next one.

    Args:
        path: the file.
        resume_steps: keep the rows up to this many environment steps and go on after them; None
            starts an empty file.
    """

    def __init__(self, path: Path, resume_steps: int | None = None) -> None:
        self.path = path
        self._columns: list[str] = []
        self._size = 0  # of the part of the file that is whole
        self._waiting: list[dict[str, str]] = []
        self._warned = False
        columns: list[str] = []
        rows: list[dict[str, str]] = []
        if resume_steps is not None:
            columns, everything = read_rows(path)
            rows = [row for row in everything if row.get(STEPS) and float(row[STEPS]) <= resume_steps]
        self._rewrite(columns, rows)

    def write(self, key_values: dict[str, Any], key_excluded: dict[str, tuple[str, ...]], step: int = 0) -> None:
        values = filter_excluded_keys(key_values, key_excluded, "csv")
        self._waiting.append({key: _text(value) for key, value in values.items()})
        try:
            new = [
                key for key in dict.fromkeys(key for row in self._waiting for key in row) if key not in self._columns
            ]
            if new:
                _, rows = read_rows(self.path)
                # steps first: the column that every reader looks for
                self._rewrite([*self._columns, *sorted(new, key=lambda key: key != STEPS)], rows + self._waiting)
            else:
                self._append(self._waiting)
            self._waiting = []
        except OSError as error:
            if not self._warned:
                warnings.warn(f"{self.path} cannot be written ({error}); its rows wait in memory", stacklevel=2)
                self._warned = True

    def sync(self) -> None:
        """Bring what was written to the disk itself. Raises OSError if that fails or rows wait."""
        if self._waiting:
            raise OSError(f"{len(self._waiting)} rows of {self.path} could not be written yet")
        with self.path.open("rb") as stream:
            os.fsync(stream.fileno())

    def close(self) -> None:
        """Nothing stays open between two rows."""

    def _append(self, rows: list[dict[str, str]]) -> None:
        data = _lines(self._columns, rows)
        with self.path.open("r+b") as stream:
            try:
                stream.seek(self._size)
                stream.write(data)
                stream.flush()
            except OSError:
                os.ftruncate(stream.fileno(), self._size)
                raise
        self._size += len(data)

    def _rewrite(self, columns: list[str], rows: list[dict[str, str]]) -> None:
        header = _lines(columns, [{column: column for column in columns}]) if columns else b""
        data = header + _lines(columns, rows)
        with whole_file(self.path, durable=True) as part:
            part.write_bytes(data)
        self._columns, self._size = columns, len(data)


def read_rows(path: Path) -> tuple[list[str], list[dict[str, str]]]:
    """Columns and rows of a progress.csv, if any, without a last line that a kill cut short."""
    if not path.exists():
        return [], []
    text = path.read_text()
    whole = text[: text.rfind("\n") + 1]
    reader = csv.DictReader(io.StringIO(whole))
    rows: list[dict[str, str]] = [dict(row) for row in reader]
    return list(reader.fieldnames or []), rows


def _lines(columns: list[str], rows: list[dict[str, str]]) -> bytes:
    text = io.StringIO()
    csv.DictWriter(text, columns, restval="", lineterminator="\n").writerows(rows)
    return text.getvalue().encode()


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value.replace("\n", " ")  # a line is a row
    if hasattr(value, "item"):
        value = value.item()
    return str(value)


def last_row(path: Path) -> Mapping[str, str]:
    """The newest row, empty where there is none."""
    _, rows = read_rows(path)
    return rows[-1] if rows else {}
