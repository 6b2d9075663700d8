"""The Markdown table of runs: one line an arm."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from scripts.results.comparison import Row, by_arm, known_values
from scripts.results.figures import short
from scripts.results.intervals import interval


def table(rows: Sequence[Row], only: Sequence[str] = ()) -> str:
    """The Markdown table of rows, one line an arm.

    Values are interquartile means over seeds with 95 % bootstrap intervals.

    Args:
        rows: of one twin.
        only: the metrics to show, in the order in which they come; () for all.
    """
    arms = by_arm(rows)
    known = {name for name, _, _ in _COLUMNS} | _NOT_SHOWN
    others = dict.fromkeys(name for row in rows for name in row.metrics if name not in known)
    columns = [
        (title, [_cell(cell, name, arm_rows) for arm_rows in arms.values()])
        for name, title, cell in (*_COLUMNS, *map(_unlisted, others))
        if (not only or name in only)
        and (
            any(row.metrics.get(name) is not None for row in rows)
            or (name in rows[0].metrics and name.startswith(_REACHED))
        )
    ]
    lines = ["| arm | seeds | " + " | ".join(title for title, _ in columns) + " |"]
    lines.append("| --- | --- |" + " ---: |" * len(columns))
    for i, (arm, arm_rows) in enumerate(arms.items()):
        cells = [arm, str(len(arm_rows)), *(cells[i] for _, cells in columns)]
        lines.append("| " + " | ".join(text.replace("|", "\\|") for text in cells) + " |")
    return "\n".join(lines)


def _cell(cell: Callable[[Sequence[float | None]], str], name: str, rows: Sequence[Row]) -> str:
    """An arm's; a dash where it was never measured, which is not the same as never reached."""
    return cell([row.metrics.get(name) for row in rows]) if any(name in row.metrics for row in rows) else "–"


def _unlisted(name: str) -> tuple[str, str, Callable[[Sequence[float | None]], str]]:
    return name, name.replace("_", " "), _reached if name.startswith(_REACHED) else _return


def _rate(values: Sequence[float | None]) -> str:
    return _estimate(values, lambda value: f"{100 * value:.0f}", " %")


def _return(values: Sequence[float | None]) -> str:
    return _estimate(values, lambda value: f"{value:.2f}" if abs(value) < 100 else f"{value:.0f}", "")


def _estimate(values: Sequence[float | None], written: Callable[[float], str], unit: str) -> str:
    known = known_values(values)
    if not known:
        return "–"
    value, low, high = interval(known)
    between = "" if np.isnan(low) else f" [{written(low)}, {written(high)}]"
    missing = "" if len(known) == len(values) else f" ({len(known)} seeds)"
    return f"{written(value)}{unit}{between}{missing}"


def _reached(values: Sequence[float | None]) -> str:
    known = known_values(values)
    if not known:
        return f"never (0 of {len(values)})"
    return f"{short(float(np.median(known)))} ({len(known)} of {len(values)})"


def _fine(values: Sequence[float | None]) -> str:
    """What is computed and not sampled: small numbers, the same for every seed where they are."""
    known = known_values(values)
    same = len(known) == len(values) and max(known) - min(known) < 5e-5
    written = "{:.4f}".format
    return written(round(known[0], 4) + 0.0) if same else _estimate(values, written, "")


def _about(values: Sequence[float | None]) -> str:
    known = known_values(values)
    return short(interval(known).value) if known else "–"


_NOT_SHOWN = {"seconds", "goal_rate"}
"""Metrics of a twin that its table leaves out; others are shown, `_COLUMNS` names them or not."""
_REACHED = ("steps_to", "episodes_to")
"""How names of metrics begin that say when something was first so good, None if never."""
_COLUMNS: tuple[tuple[str, str, Callable[[Sequence[float | None]], str]], ...] = (
    ("success_rate", "success, last 100 episodes", _rate),
    ("eval_success_rate", "success, evaluation", _rate),
    ("task_return_mean", "task return, last 100 episodes", _return),
    ("eval_return_mean", "task return, evaluation", _return),
    ("informativeness", "informativeness", _fine),
    ("steps_to_80", "steps to 80 % success", _reached),
    ("steps_to_90", "steps to 90 % success", _reached),
    ("steps", "steps", _about),
    ("steps_per_second", "steps/s", _about),
)
