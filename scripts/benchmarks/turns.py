"""Measuring in turns, as machines are shared and drift: the median of the turns counts."""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Arguments:
    """The command line; see the text of `scripts.benchmark`.

    Attributes:
        json: where to write rows and ratios.
        repeats: turns of every measurement.
        n_envs: environments on both sides of every comparison of environment steps.
        workers: processes beside the caller, for ours.
        steps: environment steps of one turn.
        train_steps: steps of one PPO turn.
        rlgym: of the benchmark rocket; see there.
    """

    json: str | None = None
    repeats: int = 3
    n_envs: int = 64
    workers: int = 1
    steps: int = 30_000
    train_steps: int = 12_288
    rlgym: str = "install"


def steps_per_second(step: Callable[[int], None], turns: int) -> float:
    """Call `step(turn)` so many times after a short warm-up; calls a second."""
    for turn in range(max(1, turns // 20)):
        step(turn)
    start = time.perf_counter()
    for turn in range(turns):
        step(turn)
    return turns / (time.perf_counter() - start)


def median_of_turns(paths: Mapping[str, Callable[[], float]], repeats: int) -> dict[str, list[float]]:
    """Measure every path in turn, `repeats` times round."""
    measured: dict[str, list[float]] = {name: [] for name in paths}
    for turn in range(repeats):
        for name, measure in paths.items():
            print(f"  {turn + 1}/{repeats}  {name} ...", file=sys.stderr, flush=True)
            measured[name].append(measure())
    return measured


def compared(task: str, measured: Mapping[str, Sequence[float]], against: str) -> list[dict[str, Any]]:
    """Rows of a result: every path of `median_of_turns` beside the median of the path `against`.

    >>> rows = compared("a task", {"stock": [90, 100, 110], "ours": [250]}, "stock")
    >>> [(row["path"], row["steps_per_second"], row["ratio"]) for row in rows]
    [('stock', 100, 1.0), ('ours', 250, 2.5)]
    """
    medians = {path: statistics.median(speeds) for path, speeds in measured.items()}
    return [
        {
            "task": task,
            "path": path,
            "steps_per_second": round(medians[path]),
            "lowest": round(min(speeds)),
            "highest": round(max(speeds)),
            "ratio": round(medians[path] / medians[against], 3),
            "against": against,
        }
        for path, speeds in measured.items()
    ]


def table(result: Mapping[str, Any]) -> str:
    """The result as Markdown; rows that are none of `compared` show their own columns."""
    rows = result["rows"]
    lines = _speeds(rows) if "steps_per_second" in rows[0] else _columns(rows)
    lines += ["", "| ratio | value |", "| --- | ---: |"]
    lines += [f"| `{name}` | {value:.3f} |" for name, value in result["ratios"].items()]
    return "\n".join(lines)


def _speeds(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    lines = [
        "| task | path | steps/s (median) | lowest to highest | ratio | against |",
        "| --- | --- | ---: | ---: | ---: | --- |",
    ]
    for row in rows:
        lines.append(
            f"| {row['task']} | {row['path']} | {row['steps_per_second']:,} | {row['lowest']:,} to {row['highest']:,} "
            f"| {row['ratio']:.2f} | {row['against']} |"
        )
    return lines


def _columns(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    names = list(rows[0])
    lines = [f"| {' | '.join(name.replace('_', ' ') for name in names)} |", f"| --- |{' ---: |' * (len(names) - 1)}"]
    return lines + [f"| {' | '.join(str(row[name]) for name in names)} |" for row in rows]
