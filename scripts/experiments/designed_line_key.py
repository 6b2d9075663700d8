"""EXPRD lifted from an estimate on cells to a continuous world, and learned from by PPO."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import yaml

from scripts.experiments.claim import Measurement
from scripts.results.comparison import Row, row_of_run
from scripts.results.comparison_pictures import draw_curves

STEPS = 50_000
BASE = ("env=classic/continuous_line_key", "agent=ppo", "agent.gamma=0.95", f"total_timesteps={STEPS}", "tracking=none")
DESIGN = ("env=classic/continuous_line_key", "bins=20,2", "gamma=0.95", "budget=5")
DESIGNS = {"exprd-5": (), "exprd-5, least": ("l1=1e-5",)}
"""Arm -> further settings of scripts.design_reward."""


def measure(seeds: Sequence[int], picture: Path) -> list[Row]:
    """The twin's rows: runs that are there are not made again; draws the picture."""
    from scripts.experiments.reproduction import RUNS

    home = RUNS / "designed-line-key"
    rows = []
    for seed in seeds:
        rows.append(trained(home / f"none-{seed}", "none", ("shaping=none",), seed))
        for number, (arm, settings) in enumerate(DESIGNS.items()):
            table = home / f"design-{number}.yaml"
            if not table.is_file():
                command("scripts.design_reward", *DESIGN, *settings, f"out={table}")
            shaping = ("shaping=designed", f"shaping.terms.designed.file={table}")
            rows.append(trained(home / f"design-{number}-{seed}", arm, shaping, seed))
        print(f"seed {seed}", flush=True)
    arms = ["none", *DESIGNS]
    rows.sort(key=lambda row: (arms.index(row.arm), row.seed))
    draw_curves(rows, picture, "success_rate")
    return rows


def trained(folder: Path, arm: str, shaping: Sequence[str], seed: int) -> Row:
    """A run as a row; it is made, or goes on, where it is not finished."""
    if not (folder / "config.yaml").is_file():
        command("scripts.train", *BASE, *shaping, f"seed={seed}", f"run_dir={folder}")
    elif not (folder / "evaluation.json").is_file():
        command("scripts.train", f"resume={folder}")
    settings = {name: yaml.safe_load(value) for name, _, value in (word.partition("=") for word in (*BASE, *shaping))}
    return row_of_run(folder, arm, settings)


def command(module: str, *words: str) -> None:
    """Run a command of ours, which must end well."""
    subprocess.run([sys.executable, "-m", module, *words], check=True, stdout=subprocess.DEVNULL)


CLAIM = Measurement(
    title="EXPRD on cells of a continuous line with a key",
    text=(
        "The line with a key of 2021: a place in [0, 1] and whether the key is held. `none` learns from the task's own "
        "reward. For the others the line is cut into 20 by 2 cells, 200 000 random steps estimate the process on them, "
        "and [EXPRD](terms/designed.md) designs for five cells beside those that pay. `exprd-5` is the solver's "
        "choice of the most informative rewards; `exprd-5, least` pays a price of 10⁻⁵ for a unit of reward. PPO, "
        "50 000 steps."
    ),
    measure=measure,
    picture="learning curves",
)
