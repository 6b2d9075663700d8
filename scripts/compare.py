"""Compare runs by configuration: interquartile means and 95 % bootstrap intervals over seeds.

python -m scripts.compare RUN_GLOB... [out=outputs/compare] [metric=success_rate]
python -m scripts.compare docs/results/NAME.json [out=DIR] [metric=success_rate]

RUN_GLOB is a run directory or a pattern such as 'runs/*key_room*'. Runs that differ only in their
seed are one arm. Prints the table and writes OUT/table.md, OUT/compare.json (its twin),
OUT/curves.png and OUT/rewards.png (OUT is outputs/compare unless said). A .json is such a twin: its
table is printed again, and its picture drawn where out= says. metric= is what the picture shows:
success_rate, task_return_mean, or stats (all that the environment tells).
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from foundation.checks import one_of
from foundation.files import folder_for, replace_text
from scripts.configuration.arguments import parse
from scripts.configuration.arguments import run as run_command
from scripts.results.comparison import CURVES, STATISTICS, by_arm, find_runs, read_runs, read_twin, twin
from scripts.results.comparison_pictures import draw_curves, draw_rewards
from scripts.results.tables import table

METRICS = (*CURVES, STATISTICS)
"""What the picture can show."""


@dataclass(frozen=True)
class Arguments:
    """The command line's arguments."""

    out: str | None = None
    metric: str = "success_rate"


def compare(patterns: Sequence[str], out: Path, metric: str = "success_rate") -> str:
    """Compare runs and write OUT/table.md, compare.json, curves.png and rewards.png.

    Returns:
        The table with its notes.

    Raises:
        FileNotFoundError: a pattern that names nothing.
        ValueError: no finished run, or an unknown metric.
    """
    one_of("metric", metric, METRICS)
    folder_for(out, ("table.md", "compare.json", "curves.png", "rewards.png"))
    run_dirs = find_runs(patterns)
    rows, left_out = read_runs(run_dirs)
    if not rows:
        reasons = "; ".join(f"{path}: {reason}" for path, reason in left_out)
        raise ValueError(f"none of {len(run_dirs)} directories holds a finished run ({reasons})")
    text = table(rows)
    command = "python -m scripts.compare " + " ".join(Path(p).name if Path(p).is_absolute() else p for p in patterns)
    replace_text(out / "compare.json", twin(command, rows))
    seeds_of = {arm: len(arm_rows) for arm, arm_rows in by_arm(rows).items()}
    notes = [f"left out {path}: {reason}" for path, reason in left_out]
    notes += [
        f"{arm}: {seeds} seed{'s' if seeds > 1 else ''}, too few for an interval that means much; 5 are usual"
        for arm, seeds in seeds_of.items()
        if seeds < 3
    ]
    replace_text(out / "table.md", "\n\n".join([text, *notes]) + "\n")
    try:
        draw_curves(rows, out / "curves.png", metric)
    except ValueError as error:
        notes.append(f"no curves.png: {error}")
    draw_rewards(rows, out / "rewards.png")
    return "\n\n".join([text, *notes])


def main(command_line: Sequence[str]) -> None:
    """The command line."""
    places, arguments = parse(command_line, Arguments, __doc__)
    one_of("metric", arguments.metric, METRICS)
    if not places:
        raise ValueError("expected run directories or a table's twin: python -m scripts.compare 'runs/*key_room*'")
    if len(places) == 1 and places[0].endswith(".json"):
        _, rows = read_twin(Path(places[0]))
        print(table(rows))
        if arguments.out:
            print(
                draw_curves(rows, Path(arguments.out) / f"{Path(places[0]).stem}.png", arguments.metric),
                file=sys.stderr,
            )
        return
    out = Path(arguments.out or "outputs/compare")
    print(compare(places, out, arguments.metric))
    print(f"written to {out}", file=sys.stderr)


if __name__ == "__main__":
    run_command(main)
