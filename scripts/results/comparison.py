"""Finished runs as rows, grouped into arms by configuration, and the twins that hold such rows."""

from __future__ import annotations

import glob
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from foundation.files import read_json
from scripts.results.curves import (
    LENGTH,
    RETURN,
    STEPS,
    SUCCESS,
    FloatArray,
    read_progress,
    reward_parts,
    steps_to,
    thinned,
)
from scripts.running.finished_episodes import WINDOW
from scripts.running.progress_csv import EPISODES
from scripts.running.run_directory import read_yaml

STATISTICS = "stats"
"""metric=stats draws every statistic that the environment tells of its episodes."""
CURVES = {"success_rate": SUCCESS, "task_return_mean": RETURN}
"""Metric -> the column of progress.csv that is its learning curve."""

# What may differ between the seeds of one arm: who is told, where it lies, and what happens after
# training.
NOT_CONFIGURATION = {
    *("seed", "run_dir", "resume", "tracking", "plots", "video", "evaluate_episodes", "checkpoint_every", "log_every"),
    *("device", "torch_threads", "workers", "keep_checkpoints"),
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


def by_arm(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """Rows of each arm, in the order in which the arms come."""
    arms: dict[str, list[Row]] = {}
    for row in rows:
        arms.setdefault(row.arm, []).append(row)
    return arms


def known_values(values: Sequence[float | None]) -> list[float]:
    """Those that are there.

    >>> known_values([0.5, None, 1])
    [0.5, 1.0]
    """
    return [float(value) for value in values if value is not None]


def find_runs(patterns: Sequence[str]) -> list[Path]:
    """The run directories that the patterns name, each once, in order.

    Raises:
        FileNotFoundError: a pattern that names nothing.
    """
    run_dirs: dict[Path, None] = {}
    for pattern in patterns:
        matches = [Path(match) for match in sorted(glob.glob(pattern, recursive=True))]
        folders = [match for match in matches if match.is_dir()]
        if not folders:
            raise FileNotFoundError(
                f"{pattern!r} names no directory; expected run directories such as 'runs/*key_room*'"
            )
        run_dirs |= dict.fromkeys(folders)
    return list(run_dirs)


def read_runs(run_dirs: Sequence[Path]) -> tuple[list[Row], list[tuple[Path, str]]]:
    """Finished runs as rows, named by what sets their arms apart; the rest with the reasons."""
    rows, left_out = [], []
    configurations: list[dict[str, Any]] = []
    for run_dir in run_dirs:
        try:
            row, configuration = _read_run(run_dir)
        except (OSError, ValueError) as error:
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

    Metrics are those of summary.json (`success_rate`, `task_return_mean`, `steps`, `seconds`,
    `steps_per_second`), of evaluation.json where there is one (`eval_success_rate`,
    `eval_return_mean`), and `steps_to_80` and `steps_to_90`: the step at which the success rate of
    the last 100 episodes first stood there, None if never.

    Raises:
        FileNotFoundError: no run.
        ValueError: it is not finished, or has no rows.
    """
    summary_file = run_dir / "summary.json"
    if not (run_dir / "config.yaml").is_file():
        raise FileNotFoundError("no run directory (no config.yaml)")
    if not summary_file.is_file():
        raise ValueError("not finished (no summary.json)")
    summary = read_json(summary_file)
    if not isinstance(summary.get("seed"), int):
        raise ValueError(f"{summary_file} is damaged: it has no seed")
    if summary.get("status") != "finished":
        raise ValueError(f"not finished: its status is {summary.get('status')!r}")
    columns = read_progress(run_dir)
    metrics = {
        name: summary.get(name) for name in ("success_rate", "task_return_mean", "steps", "seconds", "steps_per_second")
    }
    metrics |= {name: value for name, value in summary.items() if name.startswith(f"{STATISTICS}_")}
    if (evaluation_file := run_dir / "evaluation.json").is_file():
        evaluation = read_json(evaluation_file)
        metrics["eval_success_rate"] = evaluation.get("success_rate")
        metrics["eval_return_mean"] = evaluation.get("return_mean")
    if SUCCESS in columns:
        # The first few episodes to end are the short ones, lucky ones among them: a rate counts
        # when it is one of 100.
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
    """How many episodes had ended by each row, (rows,).

    About so many for runs of earlier versions, which did not count: steps over the length at the
    time.
    """
    if EPISODES in columns:
        return columns[EPISODES]
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
    resolved, choices = read_yaml(run_dir / "config.yaml"), read_yaml(run_dir / "choices.yaml")
    choices = {group: name for group, name in choices.items() if group != "tracking"}
    configuration = {key: value for key, value in resolved.items() if key not in NOT_CONFIGURATION}
    return replace(row, config=choices), _flat(configuration)


def _names(
    choices: Sequence[Mapping[str, Any]], configurations: Sequence[dict[str, Any]]
) -> list[tuple[str, dict[str, Any]]]:
    """Arm's name and short configuration of every run.

    A name tells the group choices that differ, then the settings that differ besides.
    """
    differing_groups = [group for group in ("env", "shaping", "agent") if len({c.get(group) for c in choices}) > 1]
    chosen = [tuple(c.get(group) for group in differing_groups) for c in choices]
    keys = sorted({key for configuration in configurations for key in configuration})
    settings = []
    for key in keys:
        values: dict[tuple[Any, ...], set[str]] = {}
        for group_names, configuration in zip(chosen, configurations, strict=True):
            values.setdefault(group_names, set()).add(json.dumps(configuration.get(key), default=str))
        if any(len(seen) > 1 for seen in values.values()):  # differs within one choice of groups
            settings.append(key)
    result = []
    for choice, configuration in zip(choices, configurations, strict=True):
        shown = differing_groups or ([] if settings else ["env", "shaping", "agent"])
        words = [str(choice.get(group)) for group in shown]
        words += [f"{key}={_word(_portable(configuration.get(key)))}" for key in settings]
        config = {**choice, **{key: _portable(configuration.get(key)) for key in settings}}
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
