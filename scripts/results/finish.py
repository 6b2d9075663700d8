"""What follows training: a finished run is evaluated and plotted."""

from __future__ import annotations

import contextlib
import traceback
from pathlib import Path

from scripts.configuration.groups import RunConfig
from scripts.results.evaluation import describe, evaluate_run
from scripts.results.repertoire import FILES, FOLDER, keeps_repertoire, show_repertoire
from scripts.results.run_pictures import plot_run
from scripts.running.run_directory import load_run


def finish(path: Path, config: RunConfig) -> list[Path]:
    """Evaluate and plot a finished run, and say where everything is.

    A failure here spoils nothing that was learned.

    Returns:
        The pictures and clips that were made.
    """
    lines, made = [f"finished: {path}"], list[Path]()
    if config.evaluate_episodes:
        try:
            result = evaluate_run(path, config.evaluate_episodes, gif=config.gif, trust=True)  # just trained
            lines += [describe(result), f"  evaluation   {path / 'evaluation.json'}"]
            made += [path / result["video"]] if result["video"] else []
        except Exception as error:
            lines.append(f"  WARNING: the final evaluation failed: {_logged(path, error)}")
        try:
            run = load_run(path, trust=True)
            if keeps_repertoire(run):
                shown = show_repertoire(run, gif=config.gif)
                lines.append(f"  repertoire   {path / FOLDER}, illusory part {shown['illusory_mean']:+.3f}")
                made += [path / FOLDER / name for name in FILES[1:] if (path / FOLDER / name).exists()]
        except Exception as error:
            lines.append(f"  WARNING: the repertoire could not be shown: {_logged(path, error)}")
    try:
        made += plot_run(path, trust=True)
        lines.append(f"  plots        {path / 'plots'}")
    except Exception as error:
        lines.append(f"  WARNING: plotting failed: {_logged(path, error)}")
    lines += [
        f"  curves       {path / 'progress.csv'}",
        f"  summary      {path / 'summary.json'}",
        f"  checkpoints  {path / 'checkpoints'}",
    ]
    if (path / "videos").exists():
        lines.append(f"  videos       {path / 'videos'}")
    print("\n".join(lines), flush=True)
    return made


def _logged(path: Path, error: Exception) -> str:
    with contextlib.suppress(OSError), (path / "error.txt").open("a") as file:
        file.write("".join(traceback.format_exception(error)))
    return f"{type(error).__name__}: {error} (see {path / 'error.txt'})"
