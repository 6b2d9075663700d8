"""The oni term and NetHack's statistics in whole runs: files, pictures, columns, resume."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from scripts.results.comparison import row_of_run
from scripts.results.comparison_pictures import draw_curves
from scripts.results.curves import read_progress
from scripts.results.evaluation import describe
from scripts.results.message_picture import draw_messages, read_messages
from scripts.running.run_directory import load_run
from scripts.train import main

QUEST = ["env=classic/caption_quest", "n_envs=8", "agent.n_steps=64", "agent.batch_size=128", "agent.n_epochs=1"]
RULES = ["shaping=oni/classification", "shaping.terms.oni.annotator=rules"]
SCORE = ["env=nethack/score_extended", "n_envs=4", "env.kwargs.max_episode_steps=40", "agent.n_steps=64"]
QUIET = ["tracking=none", "evaluate_episodes=0", "gif=false"]


def summary(run: Path) -> dict:
    return json.loads((run / "summary.json").read_text())


@pytest.mark.plots
def test_a_preset_is_its_term_set_up_and_a_run_leaves_the_table_and_its_picture(tmp_path: Path) -> None:
    run = tmp_path / "run"
    assert main([*QUEST, *RULES, *QUIET, "tracking=wandb", f"run_dir={run}", "total_timesteps=4096"]) == 0
    config = load_run(run).config.shaping.terms["oni"]
    assert (config["function"], config["weight"], config["goal"][:8]) == ("classification", 0.1, "Take the")
    rows = read_messages(run / "terms" / "oni")
    assert sum(row["share"] for row in rows) == pytest.approx(1, abs=1e-3)
    assert sum(row["count"] for row in rows) <= 4096
    assert (run / "plots" / "messages.png").stat().st_size > 10_000
    tables = list((run / "wandb").glob("offline-run-*/files/media/table/messages/*.table.json"))
    assert len(tables) == 1
    assert "message" in json.loads(tables[0].read_text())["columns"]


def test_a_resumed_run_goes_on_with_its_labels_table_and_network(tmp_path: Path) -> None:
    run = tmp_path / "run"
    assert main([*QUEST, *RULES, *QUIET, f"run_dir={run}", "total_timesteps=2048"]) == 0
    before = {row["message"]: row for row in read_messages(run / "terms" / "oni")}
    assert main([f"resume={run}", "total_timesteps=4096"]) == 0
    after = {row["message"]: row for row in read_messages(run / "terms" / "oni")}
    assert all(after[message]["count"] >= row["count"] for message, row in before.items())
    assert all(after[message]["first_step"] == row["first_step"] for message, row in before.items())
    history = list(csv.DictReader((run / "terms" / "oni" / "history.csv").open()))
    assert int(history[-1]["step"]) == 4096
    labels = read_progress(run)["terms/oni/labels"]
    assert labels[-1] >= labels[0] > 0


def test_scoring_again_trains_with_ppo_and_the_recurrent_one_and_is_refused_beside_transforms(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    again = [*RULES, "shaping.terms.oni.relabel=true"]
    for agent in ("ppo", "recurrent_ppo"):
        small = [*QUEST, f"agent={agent}", *again, *QUIET, f"run_dir={tmp_path / agent}", "total_timesteps=1024"]
        assert main(small) == 0
    assert main([*QUEST, *again, *QUIET, "shaping.terms.oni.normalise=true", f"run_dir={tmp_path / 'no'}"]) == 2
    assert "relabel=true changes rewards" in capfd.readouterr().err


@pytest.mark.plots
def test_statistics_of_episodes_reach_every_table(tmp_path: Path) -> None:
    run = tmp_path / "run"
    settings = [*SCORE, "shaping=none", "tracking=none", "gif=false", "evaluate_episodes=4"]
    assert main([*settings, f"run_dir={run}", "total_timesteps=1024"]) == 0
    columns = read_progress(run)
    assert columns["stats/scouted"][-1] == pytest.approx(summary(run)["stats_scouted"], abs=0.01)
    assert columns["stats/dlvl"][-1] >= 1
    evaluation = json.loads((run / "evaluation.json").read_text())
    assert len(evaluation["statistics"]) == 4
    assert "scouted" in describe(evaluation)
    row = row_of_run(run, "plain", {})
    assert row.metrics["stats_dlvl"] >= 1
    assert "stats_score" in row.curves
    assert draw_curves([row], tmp_path / "stats.png", "stats").stat().st_size > 10_000
    assert (run / "plots" / "statistics.png").is_file()
    kept = summary(run)["stats_scouted"]
    assert main([f"resume={run}", "total_timesteps=1280"]) == 0
    assert summary(run)["stats_scouted"] != kept
    assert abs(summary(run)["stats_scouted"] - kept) < 0.5 * kept, "the window of the last episodes was kept"


def test_an_environment_without_statistics_is_refused_when_they_are_asked_for(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main([*QUEST, "env.statistics=true", "shaping=none", *QUIET, f"run_dir={tmp_path / 'run'}"]) == 2
    assert "keeps no statistics" in capfd.readouterr().err


def test_a_table_without_messages_draws_nothing(tmp_path: Path) -> None:
    (tmp_path / "messages.csv").write_text("message,score,reward,count,paid,share,first_step\n")
    assert draw_messages(tmp_path, tmp_path / "messages.png") is None
