"""What the trainings of all rows come to: medians over seeds, ratios, and the table.

A training that never reaches the rate counts as infinitely long, and one that failed is none.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

PEERS_OVER_OURS = ("sb3_ours", "sample_factory_ours", "puffer_ours")
SB3_STOCK = "sb3_stock"


def by_row(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Mapping[str, Any]]]:
    """Name of a row -> its trainings."""
    grouped: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        grouped.setdefault(row["row"], []).append(row)
    return grouped


def median_to_rate(trainings: Sequence[Mapping[str, Any]], unit: str) -> float:
    """Median "steps" or "seconds" to the rate; infinite where most never reach it."""
    reached = [training[f"reached_{unit}"] for training in trainings]
    return statistics.median(math.inf if value is None else value for value in reached)


def median_speed(trainings: Sequence[Mapping[str, Any]]) -> float:
    """Median steps a second of the trainings that have any; 0 where none has."""
    speeds = [training["steps_per_second"] for training in trainings if training["steps_per_second"]]
    return statistics.median(speeds) if speeds else 0.0


def ratios(rows: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """How many times ours is faster; a ratio that needs a number nobody has is left out."""
    grouped = by_row(rows)
    if "ours" not in grouped:
        return {}
    seconds = {name: median_to_rate(trainings, "seconds") for name, trainings in grouped.items()}
    speeds = {name: median_speed(trainings) for name, trainings in grouped.items()}
    over_ours = [name for name in PEERS_OVER_OURS if name in grouped]
    best_seconds = min((seconds[name] for name in over_ours), default=math.inf)
    claimed = {
        "seconds_vs_best_peer": _ratio(best_seconds, seconds["ours"]),
        "seconds_vs_sb3_stock": _ratio(seconds.get(SB3_STOCK, math.inf), seconds["ours"]),
        "steps_per_second_vs_best_peer": _ratio(speeds["ours"], max((speeds[name] for name in over_ours), default=0.0)),
    }
    return {name: round(value, 4) for name, value in claimed.items() if value is not None}


def _ratio(above: float, below: float) -> float | None:
    return above / below if 0 < above < math.inf and 0 < below < math.inf else None


def table(result: Mapping[str, Any]) -> str:
    """The result as Markdown: a line for every row, medians over its seeds."""
    rate = f"{result['success']:.0%}".replace("%", " %")
    lines = [
        f"| who | steps/s | steps to {rate} | seconds to {rate} | reached {rate} | remark |",
        "| --- | ---: | ---: | ---: | ---: | --- |",
        *(_line(trainings) for trainings in by_row(result["rows"]).values()),
        "",
        "| ratio | value |",
        "| --- | ---: |",
    ]
    return "\n".join([*lines, *(f"| `{name}` | {value:.3f} |" for name, value in result["ratios"].items())])


def _line(trainings: Sequence[Mapping[str, Any]]) -> str:
    reached = sum(training["reached_steps"] is not None for training in trainings)
    speed = median_speed(trainings)
    steps, seconds = median_to_rate(trainings, "steps"), median_to_rate(trainings, "seconds")
    cells = [
        trainings[0]["title"],
        f"{speed:,.0f}" if speed else "",
        f"{steps:,.0f}" if steps < math.inf else "never",
        f"{seconds:,.1f}" if seconds < math.inf else "never",
        f"{reached} of {len(trainings)}",
        "; ".join(dict.fromkeys(str(training["failed"]) for training in trainings if training["failed"])),
    ]
    return f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"
