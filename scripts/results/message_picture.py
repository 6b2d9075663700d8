"""What a reward of messages likes: its table of messages as a picture.

Reads messages.csv and history.csv as `shaping.oni.messages` writes them into RUN/terms/<name>.
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np

from scripts.results.figures import COLOURS, figure, short_text, step_axis

TABLE, HISTORY = "messages.csv", "history.csv"
MOST_ROWS = 16
OTHERS = "(all others)"
_GREY = "#c4c9d1"


def read_messages(folder: Path) -> list[dict[str, Any]]:
    """The rows of messages.csv; numbers are numbers, and a missing score is None.

    Raises:
        FileNotFoundError: there is none.
    """
    with (folder / TABLE).open(newline="", encoding="utf-8") as file:
        return [
            {
                "message": row["message"],
                "score": float(row["score"]) if row["score"] else None,
                **{name: float(row[name]) for name in ("reward", "paid", "share")},
                **{name: int(row[name]) for name in ("count", "first_step")},
            }
            for row in csv.DictReader(file)
        ]


def draw_messages(folder: Path, path: Path) -> Path | None:
    """The most paid messages with score, count and share, beside their shares over training.

    Args:
        folder: RUN/terms/<name>.
        path: the .png.

    Returns:
        `path`; None without messages.
    """
    rows = read_messages(folder)
    if not rows:
        return None
    shown = rows[:MOST_ROWS]
    history = _history(folder)
    with figure(path, 1, 2, 6.8, max(3.2, 0.9 + 0.27 * len(shown)), width_ratios=[1.35, 1]) as (_, (table, over_time)):
        places = np.arange(len(shown))[::-1]
        shares = np.array([row["share"] for row in shown])
        table.barh(places, shares, height=0.7, color=[_colour(row, index) for index, row in enumerate(shown)])
        widest = max(0.05, float(shares.max()))
        for place, row in zip(places, shown, strict=True):
            score = "not asked" if row["score"] is None else f"{row['score']:+.2f}"
            table.text(
                row["share"] + 0.02 * widest, place, f"{row['share']:.0%}  score {score}  ×{row['count']:,}",
                va="center", fontsize=7.5,
            )  # fmt: skip
        table.set_yticks(places, [short_text(row["message"], 46) for row in shown], fontsize=8)
        table.set_xlim(0, 1.75 * widest)
        table.set_xticks([tick for tick in table.get_xticks() if 0 <= tick <= widest])
        table.xaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
        table.grid(axis="y", visible=False)
        more = f", {len(shown)} of {len(rows)}" if len(rows) > len(shown) else ""
        table.set_title(f"Share of the reward{more}")
        if history is None:
            over_time.set_axis_off()
        else:
            steps, names, values = history
            colours = [_GREY if name == OTHERS else COLOURS[index % len(COLOURS)] for index, name in enumerate(names)]
            over_time.stackplot(steps, values, colors=colours, alpha=0.9, linewidth=0)
            over_time.set_ylim(0, 1)
            over_time.yaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
            over_time.set_title("The same over training")
            step_axis(over_time)
    return path


def _colour(row: dict[str, Any], index: int) -> str:
    return COLOURS[index % len(COLOURS)] if row["paid"] and index < 10 else _GREY


def _history(folder: Path) -> tuple[Any, list[str], Any] | None:
    """Steps (spans,), names, and shares (names, spans) of the absolute reward.

    None before anything was paid.
    """
    file = folder / HISTORY
    if not file.is_file():
        return None
    with file.open(newline="", encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    names = list(dict.fromkeys(row["message"] for row in rows))
    steps = sorted({int(row["step"]) for row in rows})
    if len(steps) < 2:
        return None
    paid = np.zeros((len(names), len(steps)))
    for row in rows:
        paid[names.index(row["message"]), steps.index(int(row["step"]))] = abs(float(row["paid"]))
    everything = paid.sum(axis=0)
    if not everything.any():
        return None
    return np.array(steps), names, paid / np.where(everything > 0, everything, 1.0)
