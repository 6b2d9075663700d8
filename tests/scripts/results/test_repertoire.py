"""What a population keeps: who is shown, what is played again, what is written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import scripts.repertoire
from scripts.results.elites_picture import write_grid
from scripts.results.evaluation import evaluate_run
from scripts.results.repertoire import describe, diverse, show_repertoire
from scripts.results.repertoire_picture import draw_repertoire
from scripts.running.run_directory import load_run
from scripts.train import main
from tests.scripts.running import wandb_files

QUIET = ["shaping=none", "tracking=none", "evaluate_episodes=0", "seed=300"]
SEARCH = ["agent=novelty_search", "agent.population=20", "agent.chunk=40"]
MINIHACK = ["env=minihack/room_5x5", "env.kwargs.observation_keys=[chars,blstats]", "env.kwargs.max_episode_steps=8"]


def trained(run: Path, *words: str) -> Path:
    assert main([*QUIET, *words, f"run_dir={run}"]) == 0
    return run


@pytest.fixture(scope="module")
def square(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of Point2D with few evaluations, uploaded (offline) and evaluated."""
    run = tmp_path_factory.mktemp("square") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WANDB_MODE", "offline")
        more = ["agent.evaluations=300", "tracking=wandb", "evaluate_episodes=1"]
        return trained(run, "env=classic/point2d", *SEARCH, *more)


def test_a_world_without_chance_pays_the_same_again(square: Path) -> None:
    told = json.loads((square / "repertoire" / "repertoire.json").read_text())
    assert len(told["elites"]) == 9
    assert told["illusory_mean"] == 0
    assert told["other_episodes"] == 0
    for elite in told["elites"]:
        assert elite["again"] == elite["reward"]
        assert elite["generations"] == len(elite["ancestors"])
    kept = load_run(square).load_agent()
    elites = kept.evolver.elites()  # type: ignore[attr-defined]
    for elite in told["elites"]:
        assert elites.ids[elite["index"]] == elite["evaluation"]
        assert elites.truths[elite["index"]].tolist() == elite["place"]


def test_the_clip_shows_all_elites_side_by_side(square: Path) -> None:
    with Image.open(square / "repertoire" / "elites.gif") as clip:
        assert clip.n_frames > 20  # type: ignore[attr-defined]
        assert clip.width == 3 * 160 + 4
        first = np.asarray(clip.convert("RGB")).astype(int)
        clip.seek(clip.n_frames - 1)  # type: ignore[attr-defined]
        last = np.asarray(clip.convert("RGB")).astype(int)
    height = (first.shape[0] - 4) // 3
    for row in range(3):
        for column in range(3):
            cell = np.s_[row * (height + 2) : row * (height + 2) + height, column * 162 : column * 162 + 160]
            assert np.abs(first[cell] - last[cell]).max() > 60, "something moved"


def test_what_is_made_at_a_runs_end_is_uploaded(square: Path) -> None:
    [file] = (square / "wandb").glob("offline-run-*/*.wandb")
    [media] = [row for row in wandb_files.history(file) if any(key.startswith("plots/repertoire") for key in row)]
    kinds = {key.removesuffix("/_type"): value for key, value in media.items() if key.endswith("/_type")}
    assert kinds["plots/repertoire"] == kinds["repertoire/elites"] == "image-file"
    assert kinds["repertoire/elites_clip"] == kinds["videos/episode_clip"] == "video-file"
    for name in ("images/plots/repertoire_*.png", "images/repertoire/elites_*.png", "videos/repertoire/elites_*.gif"):
        assert len(list((square / "wandb").glob(f"offline-run-*/files/media/{name}"))) == 1


def test_the_command_prints_the_table_and_says_how_many_elites(square: Path, tmp_path: Path, capsys: Any) -> None:
    scripts.repertoire.main([str(square), "elites=2", "gif=false", f"out={tmp_path}"])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split()[:4] == ["elite", "evaluation", "reward", "played"]
    assert lines[3].startswith("2 of ")
    assert "illusory part   +0.000" in lines[4]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["elites.png", "repertoire.json"]
    with pytest.raises(ValueError, match="one run directory"):
        scripts.repertoire.main([])


def test_other_levels_are_played_where_chance_makes_them(tmp_path: Path) -> None:
    run = trained(tmp_path / "run", *MINIHACK, *SEARCH, "agent.evaluations=60", "agent.keys=[blstats]", "n_envs=8")
    told = show_repertoire(load_run(run), elites=4, episodes=3)
    assert told["gif"] == "elites.gif"
    assert [len(elite["elsewhere"]) for elite in told["elites"]] == [3] * 4
    for elite in told["elites"]:
        assert elite["again"] == pytest.approx(elite["reward"]), "the episode of its evaluation"
        assert elite["illusory"] == pytest.approx(elite["reward"] - np.mean(elite["elsewhere"]))
    assert "same episode" in describe(told)
    again = show_repertoire(load_run(run), elites=4, episodes=3, gif=False)
    assert again["elites"] == told["elites"]


def test_what_parts_of_the_reward_pay_is_paid_again(tmp_path: Path) -> None:
    words = ["env=classic/point2d", "shaping=count", "agent.evaluations=100", "n_envs=16", *SEARCH]
    run = trained(tmp_path / "run", *words)
    told = show_repertoire(load_run(run), elites=3, episodes=0, gif=False)
    assert told["replayed_mean"] < 0.9 * told["reward_mean"], "where everybody has been is no longer new"


def test_an_agent_without_a_repertoire_is_refused(tmp_path: Path) -> None:
    run = trained(tmp_path / "run", "env=classic/point2d", "agent=a2c", "total_timesteps=80")
    with pytest.raises(ValueError, match="repertoire"):
        show_repertoire(load_run(run))


# Who is shown -------------------------------------------------------------------------------------


def test_the_best_of_each_area_comes_first_and_then_the_farthest() -> None:
    truths = np.array([[0, 0], [0.1, 0], [1, 1], [0, 1], [0.5, 0.5], [np.nan, 0]])
    rewards = np.array([1.0, 2.0, 3.0, 0.0, 0.0, 9.0])
    areas = np.array([1, 1, 0, -1, -1, -1])
    assert diverse(rewards, truths, areas, 4).tolist() == [2, 1, 3, 4]
    assert diverse(rewards, truths, areas, 1).tolist() == [2]
    assert sorted(diverse(rewards, truths, areas, 99).tolist()) == list(range(6))
    assert diverse(rewards, truths, areas, 99).tolist()[-1] == 5, "it ended nowhere"
    assert diverse(rewards[:5], truths[:5], np.full(5, -1), 2).tolist() == [2, 0], "without areas the best is first"


def test_distances_are_shares_of_what_places_span() -> None:
    truths = np.array([[0, 0], [100, 0], [0, 0.9], [60, 1]])
    assert diverse(np.array([1.0, 0, 0, 0]), truths, np.full(4, -1), 2).tolist() == [0, 3]


def test_whoever_is_through_stays_at_its_last_picture(tmp_path: Path) -> None:
    black, white = np.zeros((40, 60, 3), np.uint8), np.full((40, 60, 3), 250, np.uint8)
    write_grid(tmp_path / "grid.gif", [[black, white, black], [white]], ["1", "2"])
    with Image.open(tmp_path / "grid.gif") as clip:
        assert clip.size == (60 + 2 + 60, 62)
        seen = []
        for frame in range(clip.n_frames):  # type: ignore[attr-defined]
            clip.seek(frame)
            picture = np.asarray(clip.convert("RGB"))
            seen.append((int(picture[50, 30, 0]) > 128, int(picture[50, 92, 0]) > 128))
    assert seen == [(False, True), (True, True), (False, True)]


def test_a_repertoire_of_before_there_were_parents_is_drawn(square: Path, tmp_path: Path) -> None:
    [file] = sorted(square.glob("checkpoints/step_*/repertoire.npz"))[-1:]
    with np.load(file) as saved:
        arrays = {name: saved[name] for name in saved if name != "parents"}
        assert saved["parents"].max() >= 0
    np.savez(tmp_path / "old.npz", **arrays)
    for each in (file, tmp_path / "old.npz"):
        draw_repertoire(each, tmp_path / "picture.png")
        assert Image.open(tmp_path / "picture.png").width > 1000


def test_a_population_that_saw_images_is_evaluated_where_it_needs_none(tmp_path: Path) -> None:
    words = ["agent=taxons", "agent.evaluations=60", "agent.population=20", "agent.chunk=20", "agent.epochs=1"]
    run = trained(tmp_path / "run", "env=classic/point2d", *words)
    assert evaluate_run(run, 2, gif=False)["episodes"] == 2
