"""RUN/progress.csv: one row a rollout, unbroken over kills, resumes and full disks."""

from __future__ import annotations

import csv
import io
import math
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stable_baselines3.common.logger import KVWriter, filter_excluded_keys

from foundation.files import whole_file
from scripts.running.losses import Losses

STEPS, EPISODES, SECONDS = "time/total_timesteps", "rollout/episodes", "time/seconds"
SUCCESS = "rollout/success_rate"
ALWAYS = (
    *(STEPS, EPISODES, SECONDS, "rollout/ep_rew_mean", "rollout/ep_len_mean", SUCCESS),
    "rollout/shaped_return_mean",
)
"""Columns from the first row on, empty where nothing is known; those of learning come with it."""
FILE = "progress.csv"
Row = dict[str, str]


class ProgressCsv(KVWriter):
    """Appends each dump of an SB3 logger as a row; a key not seen before becomes a new column.

    A row is one write, flushed; the file is rewritten (new column, resume) through a temporary file
    and a rename. So a kill leaves at worst a half-written last line, which the next opening
    removes. Rows of a failed write wait in memory for the next one, and in the state for a resume.

    Args:
        path: the file.
        resume_steps: keep the rows up to this many environment steps and go on after them; None
            starts an empty file.
        state: `state_dict()` at that step: rows that the file lacks are put back, and those that
            nobody has are said.
        losses: where a failed write is noted.
    """

    def __init__(
        self,
        path: Path,
        resume_steps: int | None = None,
        *,
        state: Mapping[str, Any] | None = None,
        losses: Losses | None = None,
    ) -> None:
        self.path = path
        self._losses = Losses() if losses is None else losses
        self._columns: list[str] = []
        self._size = 0  # of the part of the file that is whole
        self._waiting: list[Row] = []
        self._rows = 0  # in the file
        columns: list[str] = []
        rows: list[Row] = []
        if resume_steps is not None:
            columns, everything = _salvaged(path)
            rows = [row for row in everything if float(row[STEPS]) <= resume_steps]
            there = {row[STEPS] for row in rows}
            rows += [row for row in (state or {}).get("waiting", ()) if row[STEPS] not in there]
            rows.sort(key=lambda row: float(row[STEPS]))
            missing = (state or {}).get("rows", 0) - len(rows)
            if missing > 0:
                print(f"WARNING: {missing} rows up to step {resume_steps} are missing in {path}: gone for good")
        new = dict.fromkeys([*ALWAYS, *(key for row in rows for key in row)])
        self._rewrite([*columns, *(key for key in new if key not in columns)], rows)

    def write(self, key_values: dict[str, Any], key_excluded: dict[str, tuple[str, ...]], step: int = 0) -> None:
        values = filter_excluded_keys(key_values, key_excluded, "csv")
        self._waiting.append({key: _text(value) for key, value in values.items()})
        self._losses.attempt(FILE, self._write_waiting)

    def _write_waiting(self) -> None:
        new = [key for key in dict.fromkeys(key for row in self._waiting for key in row) if key not in self._columns]
        if new:
            _, rows = read_rows(self.path)
            self._rewrite([*self._columns, *new], rows + self._waiting)
        else:
            self._append(self._waiting)
        self._waiting = []

    def sync(self) -> None:
        """Bring every row to the disk itself, those that wait included, where that is possible."""

        def bring() -> None:
            if self._waiting:
                self._write_waiting()
            with self.path.open("rb") as stream:
                os.fsync(stream.fileno())

        self._losses.attempt(FILE, bring)

    def state_dict(self) -> dict[str, Any]:
        """How many rows there are, and those that the file lacks."""
        return {"rows": self._rows + len(self._waiting), "waiting": list(self._waiting)}

    def close(self) -> None:
        """Nothing stays open between two rows; those that wait get a last try."""
        if self._waiting:
            self._losses.attempt(FILE, self._write_waiting)

    def _append(self, rows: list[Row]) -> None:
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
        self._rows += len(rows)

    def _rewrite(self, columns: list[str], rows: list[Row]) -> None:
        header = _lines(columns, [{column: column for column in columns}]) if columns else b""
        data = header + _lines(columns, rows)
        with whole_file(self.path, durable=True) as part:
            part.write_bytes(data)
        self._columns, self._size, self._rows = columns, len(data), len(rows)


def read_rows(path: Path) -> tuple[list[str], list[Row]]:
    """Columns and whole rows of a progress.csv, if any; not the last line that a kill cut short.

    A row that is damaged is left out: one with too many or few cells, or without a step.
    """
    columns, rows, _ = _read(path)
    return columns, rows


def _read(path: Path) -> tuple[list[str], list[Row], bool]:
    """Columns, whole rows, and whether anything was damaged."""
    if not path.exists():
        return [], [], False
    text = path.read_text(encoding="utf-8", errors="replace")
    reader = csv.DictReader(io.StringIO(text[: text.rfind("\n") + 1]))
    try:
        everything = list(reader)
    except csv.Error:
        everything = [{}]
    rows: list[Row] = [dict(row) for row in everything if _is_whole(row)]
    return list(reader.fieldnames or []), rows, len(rows) < len(everything)


def _is_whole(row: Mapping[Any, Any]) -> bool:
    try:
        return None not in row and None not in row.values() and math.isfinite(float(row[STEPS]))
    except (KeyError, ValueError):
        return False


def _salvaged(path: Path) -> tuple[list[str], list[Row]]:
    """`read_rows`; a damaged file is kept under another name."""
    columns, rows, damaged = _read(path)
    if damaged:
        aside = path.with_name("progress.damaged.csv")
        shutil.copyfile(path, aside)
        print(f"WARNING: {path} is damaged: its {len(rows)} whole rows go on, and the file is kept as {aside.name}")
    return (columns if rows else []), rows


def _lines(columns: list[str], rows: list[Row]) -> bytes:
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
