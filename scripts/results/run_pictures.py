"""Pictures of one run: learning curve, parts of the reward, losses, and what its terms keep."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from scripts.results.curves import (
    LENGTH,
    RETURN,
    SHAPED,
    STEPS,
    SUCCESS,
    FloatArray,
    finite,
    has_values,
    read_progress,
    reward_parts,
)
from scripts.results.figures import figure, look, panels, rate_axis, step_axis
from scripts.results.message_picture import draw_messages
from scripts.results.outcome_picture import draw_outcome
from scripts.results.repertoire_picture import FILE as REPERTOIRE
from scripts.results.repertoire_picture import draw_repertoire
from scripts.running.trust import refuse_links

_MAX_LOSSES = 9
_UNINTERESTING = {"train/n_updates", "train/learning_rate", "train/clip_range", "train/clip_range_vf"}


def plot_run(run_dir: str | Path, *, trust: bool = False) -> list[Path]:
    """Draw learning_curve, rewards, outcome, statistics and losses (.png) into RUN/plots.

    They come from RUN/progress.csv, messages.png from every term that keeps a table of messages,
    and repertoire.png from a population's newest checkpoint. A picture whose columns the run does
    not have is left out.

    Args:
        run_dir: a run directory.
        trust: follow links that lead out of it.

    Returns:
        What was written.

    Raises:
        Untrusted: a link leads out of it, and is not trusted.
        FileNotFoundError: the run has no progress.csv.
        ValueError: it has no rows.
    """
    refuse_links(Path(run_dir), trust=trust)
    folder = Path(run_dir) / "plots"
    columns = read_progress(run_dir)
    drawn = (
        _learning_curve(columns, folder / "learning_curve.png"),
        _rewards(columns, folder / "rewards.png"),
        draw_outcome(columns, folder / "outcome.png"),
        _statistics(columns, folder / "statistics.png"),
        _losses(columns, folder / "losses.png"),
        *(draw_repertoire(file, folder / "repertoire.png") for file in _repertoires(run_dir)),
        *(draw_messages(table.parent, folder / f"{_prefix(table)}messages.png") for table in _tables(run_dir)),
    )
    return [path for path in drawn if path is not None]


def _repertoires(run_dir: str | Path) -> list[Path]:
    """That of the newest checkpoint, if there is one."""
    return sorted(Path(run_dir).glob(f"checkpoints/step_*/{REPERTOIRE}"))[-1:]


def _tables(run_dir: str | Path) -> list[Path]:
    return sorted(Path(run_dir).glob("terms/*/messages.csv"))


def _prefix(table: Path) -> str:
    return "" if table.parent.name == "oni" else f"{table.parent.name}_"


def _statistics(columns: dict[str, FloatArray], path: Path) -> Path | None:
    names = [name for name in columns if name.startswith("stats/") and has_values(columns, name)]
    return _small_curves(columns, {name: name.removeprefix("stats/") for name in names}, path, 2.0)


def _learning_curve(columns: dict[str, FloatArray], path: Path) -> Path | None:
    panels = [name for name in (SUCCESS, RETURN, LENGTH) if has_values(columns, name)]
    if not panels:
        return None
    titles = {SUCCESS: "Success rate", RETURN: "Task return", LENGTH: "Episode length"}
    with figure(path, 1, len(panels), 4.0, 3.2) as (_, axes):
        for panel, name in zip(axes, panels, strict=True):
            panel.plot(*finite(columns[STEPS], columns[name]), color=look(0)["color"])
            panel.set_title(titles[name])
            panel.set_ylabel("steps" if name == LENGTH else "mean of 100 episodes")
            step_axis(panel)
            if name == SUCCESS:
                rate_axis(panel)
            elif name == LENGTH:
                panel.set_ylim(bottom=0)
    return path


def _rewards(columns: dict[str, FloatArray], path: Path) -> Path | None:
    parts = reward_parts(columns)
    if not parts:
        return None
    with figure(path, 1, 1, 6.4, 3.6) as (_, (panel,)):
        for index, (label, values) in enumerate(parts.items()):
            panel.plot(*finite(columns[STEPS], values), label=label, **look(index))
        if has_values(columns, SHAPED) and len(parts) > 1:
            sum_of_all = finite(columns[STEPS], columns[SHAPED])
            panel.plot(*sum_of_all, label="all together", color="#333840", linestyle=(0, (2, 2)), linewidth=1.4)
        panel.axhline(0, color="#9aa0a8", linewidth=0.8)
        panel.set_title("Where the reward came from")
        panel.set_ylabel("sum over an episode, weighted")
        step_axis(panel)
        panel.legend(loc="center left", bbox_to_anchor=(1.01, 0.5))
    return path


def _losses(columns: dict[str, FloatArray], path: Path) -> Path | None:
    names = [
        name
        for name in columns
        if name.startswith("train/") and name not in _UNINTERESTING and has_values(columns, name)
    ]
    names = sorted(names, key=lambda name: ("loss" not in name, name))[:_MAX_LOSSES]
    titles = {name: name.removeprefix("train/").replace("_", " ") for name in names}
    return _small_curves(columns, titles, path, 1.4)


def _small_curves(
    columns: dict[str, FloatArray], titles: Mapping[str, str], path: Path, linewidth: float
) -> Path | None:
    """A small panel for every column that has a title. None without any."""
    if not titles:
        return None
    with panels(path, len(titles), 3.6, 2.3) as (_, axes):
        for panel, (name, title) in zip(axes, titles.items(), strict=True):
            panel.plot(*finite(columns[STEPS], columns[name]), color=look(0)["color"], linewidth=linewidth)
            panel.set_title(title)
            step_axis(panel, 4)
    return path
