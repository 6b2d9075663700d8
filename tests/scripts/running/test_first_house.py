"""A run directory that was written before the house was remade goes on."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from scripts.results.evaluation import evaluate_run
from scripts.running.progress_csv import STEPS, read_rows
from scripts.train import main

OLD = Path(__file__).with_name("run_of_the_first_house")


def test_a_run_of_the_first_house_goes_on_and_is_evaluated(tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(OLD, run)
    assert main([f"resume={run}", "total_timesteps=768"]) == 0
    assert json.loads((run / "summary.json").read_text())["steps"] == 768
    _, rows = read_rows(run / "progress.csv")
    assert [int(row[STEPS]) for row in rows] == list(range(64, 769, 64))
    assert float(rows[-1]["reward/count"]) > 0  # its statistics, and the term's counts, came along
    assert evaluate_run(run, episodes=2, gif=False)["trained_steps"] == 768
