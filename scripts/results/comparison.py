"""Compare runs: grouped by configuration, interquartile means and 95 % bootstrap intervals over seeds.

python -m scripts.compare RUN_GLOB... [out=outputs/compare] [metric=success_rate]
python -m scripts.compare docs/results/NAME.json [out=DIR] [metric=success_rate]

RUN_GLOB is a run directory or a pattern such as 'runs/*key_room*'. Runs that differ only in their seed are one arm.
Prints the table and writes OUT/table.md, OUT/compare.json (its twin), OUT/curves.png and OUT/rewards.png (OUT is
outputs/compare unless said). A .json is such a twin: its table is printed again, and its picture drawn where out= says.
metric= is what the picture shows: success_rate, task_return_mean, or stats (all that the environment tells).
"""

from __future__ import annotations

import glob
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from scripts.curves import STEPS, FloatArray, common_grid, read_progress, steps_to, thinned
from scripts.figures import figure, look, rate_axis, short, step_axis
from scripts.files import replace_text
from scripts.options import parse
from scripts.options import run as run_command
from scripts.plots import LENGTH, RETURN, SUCCESS, reward_parts
from scripts.statistics import band, interval

STATISTICS = "stats"
"""metric=stats draws every statistic that the environment tells of its episodes."""
CURVES = {"success_rate": SUCCESS, "task_return_mean": RETURN}
"""Metric -> the column of progress.csv that is its learning curve."""
WINDOW = 100
"""Episodes that progress.csv averages over."""
TITLES = {"success_rate": "Success rate", "task_return_mean": "Task return"}

# What may differ between the seeds of one arm: who is told, where it lies, and what happens after training.
NOT_CONFIGURATION = {
    *("seed", "run_dir", "resume", "tracking", "plots", "video", "evaluate_episodes", "checkpoint_every", "log_every"),
    *("device", "torch_threads", "workers"),
}


@dataclass(frozen=True)
class Row:
    """One finished run: an arm's seed, its metrics by the names of summary.json, and its curves."""

    arm: str
    seed: int
    config: Mapping[str, Any]
    metrics: Mapping[str, float | None]
    curves: Mapping[str, tuple[FloatArray, FloatArray]] = field(default_factory=dict)
    parts: Mapping[str, tuple[FloatArray, FloatArray]] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """A row of a twin: `arm`, `config`, `seed`, `metrics`, and thinned `curves`."""
        curves = {
            name: dict(zip(("steps", "values"), thinned(*curve), strict=True)) for name, curve in self.curves.items()
        }
        row = {"arm": self.arm, "config": dict(self.config), "seed": self.seed, "metrics": dict(self.metrics)}
        return row | ({"curves": curves} if curves else {})


@dataclass(frozen=True)
class Options:
    """The command line's options."""

    out: str | None = None
    metric: str = "success_rate"


# Reading ---------------------------------------------------------------------------------------------------


def find_runs(patterns: Sequence[str]) -> list[Path]:
    """The run directories that the patterns name, each once, in order.

    Raises:
        FileNotFoundError: a pattern that names nothing.
    """
    found: dict[Path, None] = {}
    for pattern in patterns:
        matches = [Path(match) for match in sorted(glob.glob(pattern, recursive=True))]
        folders = [match for match in matches if match.is_dir()]
        if not folders:
            raise FileNotFoundError(
                f"{pattern!r} names no directory; expected run directories such as 'runs/*key_room*'"
            )
        found |= dict.fromkeys(folders)
    return list(found)


def read_runs(run_dirs: Sequence[Path]) -> tuple[list[Row], list[tuple[Path, str]]]:
    """Finished runs as rows, named by what distinguishes their arms; and the rest, each with the reason."""
    rows, left_out = [], []
    configurations: list[dict[str, Any]] = []
    for run_dir in run_dirs:
        try:
            row, configuration = _read_run(run_dir)
        except (OSError, ValueError, yaml.YAMLError) as error:
            left_out.append((run_dir, str(error)))
            continue
        rows.append(row)
        configurations.append(configuration)
    named = _names([row.config for row in rows], configurations)
    rows = [
        Row(arm, row.seed, config, row.metrics, row.curves, row.parts)
        for row, (arm, config) in zip(rows, named, strict=True)
    ]
    kept: list[Row] = []
    for row, run_dir in zip(rows, [path for path in run_dirs if path not in dict(left_out)], strict=True):
        if any((row.arm, row.seed) == (other.arm, other.seed) for other in kept):
            left_out.append((run_dir, f"{row.arm} with seed {row.seed} is here already: a seed counts once"))
        else:
            kept.append(row)
    return kept, left_out


def row_of_run(run_dir: Path, arm: str, config: Mapping[str, Any]) -> Row:
    """A finished run as a row of the arm `arm`.

    Metrics are those of summary.json (`success_rate`, `task_return_mean`, `steps`, `seconds`, `steps_per_second`), of
    evaluation.json where there is one (`eval_success_rate`, `eval_return_mean`), and `steps_to_80` and `steps_to_90`:
    the step at which the success rate of the last 100 episodes first stood there, None if never.

    Raises:
        FileNotFoundError: no run.
        ValueError: it is not finished, or has no rows.
    """
    summary_file = run_dir / "summary.json"
    if not (run_dir / "config.yaml").is_file():
        raise FileNotFoundError("no run directory (no config.yaml)")
    if not summary_file.is_file():
        raise ValueError("not finished (no summary.json)")
    summary = json.loads(summary_file.read_text())
    if summary.get("status") != "finished":
        raise ValueError(f"not finished: its status is {summary.get('status')!r}")
    columns = read_progress(run_dir)
    metrics = {
        name: summary.get(name) for name in ("success_rate", "task_return_mean", "steps", "seconds", "steps_per_second")
    }
    metrics |= {name: value for name, value in summary.items() if name.startswith(f"{STATISTICS}_")}
    if (evaluation_file := run_dir / "evaluation.json").is_file():
        evaluation = json.loads(evaluation_file.read_text())
        metrics["eval_success_rate"] = evaluation.get("success_rate")
        metrics["eval_return_mean"] = evaluation.get("return_mean")
    if SUCCESS in columns:
        # The first few episodes to end are the short ones, lucky ones among them: a rate counts when it is one of 100.
        rate = np.where(episodes_so_far(columns) >= WINDOW, columns[SUCCESS], np.nan)
        metrics["steps_to_80"] = steps_to(columns[STEPS], rate, 0.8)
        metrics["steps_to_90"] = steps_to(columns[STEPS], rate, 0.9)
    curves = {metric: (columns[STEPS], columns[name]) for metric, name in CURVES.items() if name in columns}
    curves |= {
        name.replace("/", "_"): (columns[STEPS], values)
        for name, values in columns.items()
        if name.startswith(f"{STATISTICS}/")
    }
    parts = {name: (columns[STEPS], values) for name, values in reward_parts(columns).items()}
    return Row(arm, int(summary["seed"]), config, {k: _rounded(v) for k, v in metrics.items()}, curves, parts)


def episodes_so_far(columns: Mapping[str, FloatArray]) -> FloatArray:
    """About how many episodes had ended by each row, (rows,): steps over the mean length at the time."""
    if LENGTH not in columns:
        return np.full(len(columns[STEPS]), np.inf)
    lengths = columns[LENGTH]
    ended = np.diff(columns[STEPS], prepend=0.0) / np.where(lengths > 0, lengths, np.inf)
    return np.asarray(np.nancumsum(ended), np.float64)


def read_twin(path: Path) -> tuple[str, list[Row]]:
    """Command and rows of a table's twin.

    Raises:
        ValueError: the file is no twin; the message says what is missing.
    """
    try:
        content = json.loads(path.read_text())
        rows = [
            Row(
                str(row["arm"]),
                int(row["seed"]),
                row["config"],
                row["metrics"],
                {name: (np.array(c["steps"]), np.array(c["values"])) for name, c in row.get("curves", {}).items()},
            )
            for row in content["rows"]
        ]
        command = str(content["command"])
    except (json.JSONDecodeError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(
            f'{path} is no twin of a table ({error!r}); expected {{"command": ..., "rows": [{{"arm", "config", "seed", '
            '"metrics"}]}'
        ) from error
    if not rows:
        raise ValueError(f"{path} has no rows")
    return command, rows


def twin(command: str, rows: Sequence[Row]) -> str:
    """The JSON text of a table's twin."""
    lines = ",\n".join("  " + json.dumps(row.as_json(), allow_nan=False) for row in rows)
    return f'{{\n "command": {json.dumps(command)},\n "rows": [\n{lines}\n ]\n}}\n'


def _read_run(run_dir: Path) -> tuple[Row, dict[str, Any]]:
    row = row_of_run(run_dir, "", {})
    resolved = yaml.safe_load((run_dir / "config.yaml").read_text())
    choices = yaml.safe_load((run_dir / "choices.yaml").read_text())
    choices = {group: name for group, name in choices.items() if group != "tracking"}
    configuration = {key: value for key, value in resolved.items() if key not in NOT_CONFIGURATION}
    return replace(row, config=choices), _flat(configuration)


def _names(
    choices: Sequence[Mapping[str, Any]], configurations: Sequence[dict[str, Any]]
) -> list[tuple[str, dict[str, Any]]]:
    """Arm's name and short configuration of every run: group choices that differ, then settings that differ besides."""
    differing_groups = [group for group in ("env", "shaping", "agent") if len({c.get(group) for c in choices}) > 1]
    chosen = [tuple(c.get(group) for group in differing_groups) for c in choices]
    keys = sorted({key for configuration in configurations for key in configuration})
    settings = []
    for key in keys:
        values: dict[tuple[Any, ...], set[str]] = {}
        for choice, configuration in zip(chosen, configurations, strict=True):
            values.setdefault(choice, set()).add(json.dumps(configuration.get(key), default=str))
        if any(len(seen) > 1 for seen in values.values()):  # differs within one choice of groups
            settings.append(key)
    result = []
    for own_choices, configuration in zip(choices, configurations, strict=True):
        shown = differing_groups or ([] if settings else ["env", "shaping", "agent"])
        words = [str(own_choices.get(group)) for group in shown]
        words += [f"{key}={_word(_portable(configuration.get(key)))}" for key in settings]
        config = {**own_choices, **{key: _portable(configuration.get(key)) for key in settings}}
        config.setdefault("total_timesteps", configuration.get("total_timesteps"))
        result.append((" ".join(words), config))
    return result


def _flat(configuration: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    items: dict[str, Any] = {}
    for key, value in configuration.items():
        if isinstance(value, Mapping) and value:
            items |= _flat(value, f"{prefix}{key}.")
        else:
            items[f"{prefix}{key}"] = value
    return items


def _portable(value: Any) -> Any:
    """A place on this machine says nothing elsewhere: its last name stands for it."""
    return Path(value).name if isinstance(value, str) and Path(value).is_absolute() else value


def _word(value: Any) -> str:
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _rounded(value: Any) -> Any:
    if not isinstance(value, float):
        return value
    return None if not np.isfinite(value) else float(f"{value:.6g}")


# The table -------------------------------------------------------------------------------------------------


def table(rows: Sequence[Row]) -> str:
    """The Markdown table of rows: one line an arm, interquartile means over seeds with 95 % bootstrap intervals."""
    arms = by_arm(rows)
    known = {name for name, _, _ in _COLUMNS} | _NOT_SHOWN
    others = dict.fromkeys(name for row in rows for name in row.metrics if name not in known)
    columns = [
        (title, [cell([row.metrics.get(name) for row in own]) for own in arms.values()])
        for name, title, cell in (*_COLUMNS, *((name, name.replace("_", " "), _return) for name in others))
        if any(row.metrics.get(name) is not None for row in rows)
        or (name in rows[0].metrics and name.startswith("steps_to"))
    ]
    lines = ["| arm | seeds | " + " | ".join(title for title, _ in columns) + " |"]
    lines.append("| --- | --- |" + " ---: |" * len(columns))
    for i, (arm, own) in enumerate(arms.items()):
        cells = [arm, str(len(own)), *(cells[i] for _, cells in columns)]
        lines.append("| " + " | ".join(text.replace("|", "\\|") for text in cells) + " |")
    return "\n".join(lines)


def by_arm(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """Rows of each arm, in the order in which the arms come."""
    arms: dict[str, list[Row]] = {}
    for row in rows:
        arms.setdefault(row.arm, []).append(row)
    return arms


def _known(values: Sequence[float | None]) -> list[float]:
    return [float(value) for value in values if value is not None]


def _rate(values: Sequence[float | None]) -> str:
    return _estimate(values, lambda value: f"{100 * value:.0f}", " %")


def _return(values: Sequence[float | None]) -> str:
    return _estimate(values, lambda value: f"{value:.2f}" if abs(value) < 100 else f"{value:.0f}", "")


def _estimate(values: Sequence[float | None], written: Callable[[float], str], unit: str) -> str:
    known = _known(values)
    if not known:
        return "–"
    value, low, high = interval(known)
    between = "" if np.isnan(low) else f" [{written(low)}, {written(high)}]"
    missing = "" if len(known) == len(values) else f" ({len(known)} seeds)"
    return f"{written(value)}{unit}{between}{missing}"


def _reached(values: Sequence[float | None]) -> str:
    known = _known(values)
    if not known:
        return f"never (0 of {len(values)})"
    return f"{short(float(np.median(known)))} ({len(known)} of {len(values)})"


def _about(values: Sequence[float | None]) -> str:
    known = _known(values)
    return short(interval(known).value) if known else "–"


_NOT_SHOWN = {"seconds", "goal_rate"}
"""Metrics of a twin that its table leaves out; those that `_COLUMNS` does not name stand under their own names."""
_COLUMNS: tuple[tuple[str, str, Callable[[Sequence[float | None]], str]], ...] = (
    ("success_rate", "success, last 100 episodes", _rate),
    ("eval_success_rate", "success, evaluation", _rate),
    ("task_return_mean", "task return, last 100 episodes", _return),
    ("eval_return_mean", "task return, evaluation", _return),
    ("steps_to_80", "steps to 80 % success", _reached),
    ("steps_to_90", "steps to 90 % success", _reached),
    ("steps", "steps", _about),
    ("steps_per_second", "steps/s", _about),
)


# The pictures ----------------------------------------------------------------------------------------------


def draw_curves(rows: Sequence[Row], path: Path, metric: str = "success_rate") -> Path:
    """Learning curves of `metric` with 95 % bands beside its final value: every seed a dot, the interval a bar.

    Raises:
        ValueError: no row has the metric's curve.
    """
    if metric == STATISTICS:
        return _draw_statistics(rows, path)
    arms = {arm: own for arm, own in by_arm(rows).items() if any(metric in row.curves for row in own)}
    if not arms:
        has = sorted({name for row in rows for name in row.curves})
        raise ValueError(f"no run has a learning curve of {metric!r}; these runs have {', '.join(has) or 'none'}")
    with figure(path, 1, 2, 5.4, 4.0, width_ratios=[2.4, 1]) as (drawing, (left, right)):
        for index, own in enumerate(arms.values()):
            curves = [row.curves[metric] for row in own if metric in row.curves]
            grid, values = common_grid(curves)
            around = band(values) if len(grid) else None
            if around is not None:
                left.plot(grid, around.value, **look(index))
                left.fill_between(grid, around.low, around.high, color=look(index)["color"], alpha=0.18, linewidth=0)
            final = _known([row.metrics.get(metric) for row in own])
            if final:
                _draw_final(right, index, final)
        left.set_title(f"{TITLES[metric]} in training")
        left.set_ylabel("mean of the last 100 episodes")
        step_axis(left)
        right.set_title("At the end")
        right.set_xticks(range(len(arms)), ["" for _ in arms])
        right.set_xlim(-0.6, len(arms) - 0.4)
        right.grid(axis="x", visible=False)
        for axes in (left, right):
            if metric == "success_rate":
                rate_axis(axes)
        _legend(drawing, list(arms))
        drawing.supxlabel("interquartile mean and 95 % bootstrap interval over seeds", fontsize=8.5, color="#6b7280")
    return path


def _draw_statistics(rows: Sequence[Row], path: Path) -> Path:
    names = list(dict.fromkeys(name for row in rows for name in row.curves if name.startswith(f"{STATISTICS}_")))
    if not names:
        raise ValueError("no run has statistics of its episodes: their environment tells none")
    arms, wide = by_arm(rows), min(3, len(names))
    with figure(path, -(-len(names) // wide), wide, 3.9, 2.9) as (drawing, panels):
        for panel, name in zip(panels, names, strict=False):
            for index, own in enumerate(arms.values()):
                grid, values = common_grid([row.curves[name] for row in own if name in row.curves])
                if len(grid):
                    around = band(values)
                    panel.plot(grid, around.value, **look(index))
                    panel.fill_between(
                        grid, around.low, around.high, color=look(index)["color"], alpha=0.18, linewidth=0
                    )
            panel.set_title(name.removeprefix(f"{STATISTICS}_"))
            panel.set_ylabel("mean of 100 episodes")
            step_axis(panel)
            panel.locator_params(axis="x", nbins=5)
        for panel in panels[len(names) :]:
            panel.set_axis_off()
        _legend(drawing, list(arms))
    return path


def draw_rewards(rows: Sequence[Row], path: Path) -> Path | None:
    """The parts of the reward, one panel an arm: mean sum over an episode. None when no run tells of any."""
    arms = {arm: own for arm, own in by_arm(rows).items() if any(row.parts for row in own)}
    if not arms:
        return None
    names = list(dict.fromkeys(name for own in arms.values() for row in own for name in row.parts))
    wide = min(3, len(arms))
    with figure(path, -(-len(arms) // wide), wide, 3.9, 3.3) as (drawing, panels):
        for panel, (arm, own) in zip(panels, arms.items(), strict=False):
            for index, name in enumerate(names):
                grid, values = common_grid([row.parts[name] for row in own if name in row.parts])
                if not len(grid):
                    continue
                around = band(values)
                panel.plot(grid, around.value, **look(index))
                panel.fill_between(grid, around.low, around.high, color=look(index)["color"], alpha=0.18, linewidth=0)
            panel.axhline(0, color="#9aa0a8", linewidth=0.8)
            panel.set_title(arm, wrap=True)
            panel.set_ylabel("sum over an episode, weighted")
            step_axis(panel)
            panel.locator_params(axis="x", nbins=5)
        for panel in panels[len(arms) :]:
            panel.set_axis_off()
        _legend(drawing, names)
    return path


def _draw_final(axes: Any, index: int, values: Sequence[float]) -> None:
    colour = look(index)["color"]
    value, low, high = interval(values)
    if not np.isnan(low):
        axes.plot([index, index], [low, high], color=colour, linewidth=9, alpha=0.3, solid_capstyle="butt")
    axes.plot([index - 0.16, index + 0.16], [value, value], color=colour, linewidth=2.5)
    spread = np.linspace(-0.09, 0.09, len(values)) if len(values) > 1 else [0.0]
    axes.scatter(index + np.asarray(spread), values, s=16, color=colour, edgecolor="white", linewidth=0.6, zorder=3)


def _legend(drawing: Any, names: Sequence[str]) -> None:
    from matplotlib.lines import Line2D

    handles = [Line2D([], [], **look(index)) for index in range(len(names))]
    columns = max(1, min(len(names), 130 // (max(map(len, names)) + 10)))
    drawing.legend(handles, list(names), loc="outside upper left", ncols=columns)


# The command -----------------------------------------------------------------------------------------------


def compare(patterns: Sequence[str], out: Path, metric: str = "success_rate") -> str:
    """Compare runs, write OUT/table.md, compare.json, curves.png and rewards.png, and return the table with its notes.

    Raises:
        FileNotFoundError: a pattern that names nothing.
        ValueError: no finished run, or an unknown metric.
    """
    _check_metric(metric)
    run_dirs = find_runs(patterns)
    rows, left_out = read_runs(run_dirs)
    if not rows:
        reasons = "; ".join(f"{path}: {reason}" for path, reason in left_out)
        raise ValueError(f"none of {len(run_dirs)} directories holds a finished run ({reasons})")
    text = table(rows)
    out.mkdir(parents=True, exist_ok=True)
    command = "python -m scripts.compare " + " ".join(Path(p).name if Path(p).is_absolute() else p for p in patterns)
    replace_text(out / "compare.json", twin(command, rows))
    notes = [f"left out {path}: {reason}" for path, reason in left_out]
    notes += [
        f"{arm}: {len(own)} seed{'s' if len(own) > 1 else ''}, too few for an interval that means much; 5 are usual"
        for arm, own in by_arm(rows).items()
        if len(own) < 3
    ]
    replace_text(out / "table.md", "\n\n".join([text, *notes]) + "\n")
    try:
        draw_curves(rows, out / "curves.png", metric)
    except ValueError as error:
        notes.append(f"no curves.png: {error}")
    draw_rewards(rows, out / "rewards.png")
    return "\n\n".join([text, *notes])


def main(arguments: Sequence[str]) -> None:
    """The command line."""
    places, options = parse(arguments, Options, __doc__)
    _check_metric(options.metric)
    if not places:
        raise ValueError("expected run directories or a table's twin: python -m scripts.compare 'runs/*key_room*'")
    if len(places) == 1 and places[0].endswith(".json"):
        _, rows = read_twin(Path(places[0]))
        print(table(rows))
        if options.out:
            print(draw_curves(rows, Path(options.out) / f"{Path(places[0]).stem}.png", options.metric), file=sys.stderr)
        return
    out = Path(options.out or "outputs/compare")
    print(compare(places, out, options.metric))
    print(f"written to {out}", file=sys.stderr)


def _check_metric(metric: str) -> None:
    if metric not in (*CURVES, STATISTICS):
        raise ValueError(f"metric={metric} has no learning curve; expected {' or '.join((*CURVES, STATISTICS))}")


if __name__ == "__main__":
    run_command(main)
