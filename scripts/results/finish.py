"""What follows training: a finished run is evaluated and plotted."""

from __future__ import annotations

import contextlib
import traceback
from pathlib import Path

from scripts.configuration.groups import RunConfig
from scripts.results.evaluation import describe, evaluate_run
from scripts.results.run_pictures import plot_run


def finish(path: Path, config: RunConfig) -> None:
    """Evaluate and plot a finished run, and say where everything is.

    A failure here spoils nothing that was learned.
    """
    lines = [f"finished: {path}"]
    if config.evaluate_episodes:
        try:
            result = evaluate_run(path, config.evaluate_episodes, gif=config.gif, trust=True)  # just trained
            lines += [describe(result), f"  evaluation   {path / 'evaluation.json'}"]
        except Exception as error:
            lines.append(f"  WARNING: the final evaluation failed: {_logged(path, error)}")
    try:
        plot_run(path, trust=True)
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


def _logged(path: Path, error: Exception) -> str:
    with contextlib.suppress(OSError), (path / "error.txt").open("a") as file:
        file.write("".join(traceback.format_exception(error)))
    return f"{type(error).__name__}: {error} (see {path / 'error.txt'})"
