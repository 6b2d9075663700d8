"""Rocket players against each other, and watched."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image

from envs.rocket.recording import Recording
from scripts import match, tournament
from scripts.rocket.match_pictures import pictures
from scripts.rocket.pairings import STUDY_BOTS, Pairing, ratings, study
from scripts.rocket.players import player
from scripts.train import main as train
from tests.payload import Payload, pickled, with_attribute

TINY = [
    "env=rocket/1v1", "shaping=kinesthetic", "n_envs=4", "agent.n_steps=32", "agent.batch_size=64", "agent.n_epochs=1",
    "env.kwargs.observation=shoot", "env.kwargs.actions=shoot", "total_timesteps=128", "tracking=none",
    "evaluate_episodes=0", "gif=false",
]  # fmt: skip


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An agent that has hardly learned."""
    folder = tmp_path_factory.mktemp("runs") / "agent"
    assert train([*TINY, f"run_dir={folder}"]) == 0
    return folder


def test_bots_and_agents_meet_and_the_tables_hold_every_pairing(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["kickoff", "idle", f"learner:{run}", "points=6", "seconds=30", f"out={tmp_path}"]
    tournament.main(words)
    results = json.loads((tmp_path / "tournament.json").read_text())
    assert [(p["first"], p["second"]) for p in results["pairings"]] == [
        ("kickoff", "idle"), ("kickoff", "learner"), ("idle", "learner"),
    ]  # fmt: skip
    assert results["pairings"][0]["goals"][0] > 0
    assert results["pairings"][0]["goal_share_interval"][0] > 0.2
    assert next(iter(results["ratings"])) == "kickoff"
    assert Image.open(tmp_path / "tournament.png").width > 500
    printed = capsys.readouterr().out
    assert "| `kickoff` against `learner` |" in printed
    tournament.main([*words[:-1], f"out={tmp_path / 'again'}"])
    again = json.loads((tmp_path / "again" / "tournament.json").read_text())
    assert again["pairings"] == results["pairings"]


def test_the_runs_of_a_seed_are_measured_against_each_other_and_the_bots(run: Path) -> None:
    metrics = study({"learner": run, "other": run}, points=2)
    bots = {f"goal_share_against_{name}" for name in STUDY_BOTS}
    assert set(metrics) == {"learner", "other"}
    assert set(metrics["learner"]) == {"rating", "goal_share_against_other", *bots}
    assert metrics["learner"]["goal_share_against_kickoff"] in (0.0, None)


def test_ratings_and_shares_follow_the_points() -> None:
    pairings = [Pairing("a", "b", np.array([1] * 30 + [-1] * 10)), Pairing("b", "c", np.array([1] * 20 + [0] * 20))]
    skills = ratings(pairings)
    assert list(skills) == ["a", "b", "c"]
    share = pairings[0].goal_share()
    assert share.value == 0.75
    assert 0.55 < share.low < 0.75 < share.high < 0.9
    empty = Pairing("a", "c", np.zeros(4, int))
    assert empty.as_json()["goal_share"] is None


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["chase_ball"], "two players"),
        (["chase_ball", "chase_ball"], "same name"),
        (["chase_ball", "messi"], "expected a bot"),
        (["chase_ball", "idle", "points=3"], "even number"),
        (["chase_ball", "idle", "seconds=0"], "above 0"),
    ],
)
def test_what_cannot_be_played_is_refused(words: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        tournament.main(words)


def test_an_agent_of_another_game_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "quest"
    arguments = ["env=classic/caption_quest", "shaping=none", "n_envs=2", "agent.n_steps=16", "agent.batch_size=32"]
    quiet = ["total_timesteps=32", "tracking=none", "evaluate_episodes=0", "gif=false"]
    assert train([*arguments, *quiet, f"run_dir={folder}"]) == 0
    with pytest.raises(ValueError, match="no Rocket task"):
        player(str(folder))


@pytest.mark.parametrize("command", [tournament, match], ids=["tournament", "match"])
def test_a_run_of_somebody_else_plays_only_what_is_trusted(run: Path, tmp_path: Path, command: Any) -> None:
    sent, marker = tmp_path / "sent", tmp_path / "marker"
    shutil.copytree(run, sent)
    arguments = ["kickoff", str(sent), "points=2", "seconds=1", f"out={tmp_path / 'out'}"]
    arguments += ["video=none"] if command is match else []
    folder = max((sent / "checkpoints").glob("step_*"))
    with_attribute(folder / "agent.zip", "lr_schedule", pickled(Payload(marker)))
    manifest = json.loads((folder / "manifest.json").read_text())
    described = manifest["files"]["agent.zip"]
    described["bytes"] = (folder / "agent.zip").stat().st_size
    described["sha256"] = hashlib.sha256((folder / "agent.zip").read_bytes()).hexdigest()
    (folder / "manifest.json").write_text(json.dumps(manifest))
    command.main(arguments)  # the payload is never read
    config = yaml.safe_load((sent / "config.yaml").read_text())
    config["env"]["potential"]["entry"] = "sent_code:pays"
    (sent / "config.yaml").write_text(yaml.safe_dump(config))
    with pytest.raises(ValueError, match=r"env\.potential\.entry=sent_code:pays.*trust=true"):
        command.main(arguments)
    command.main([*arguments, "trust=true"])
    assert not marker.exists()


@pytest.mark.parametrize("video", ["gif", "mp4"])
def test_a_match_is_recorded_and_its_recordings_drawn_again(run: Path, tmp_path: Path, video: str) -> None:
    match.main(["kickoff", str(run), "points=2", "seconds=3", f"video={video}", f"out={tmp_path}"])
    points = sorted(tmp_path.glob("point-*.npz"))
    assert len(points) == 2
    first = (tmp_path / f"match.{video}").read_bytes()
    assert len(first) > 20_000
    match.main([*map(str, points), f"video={video}", f"out={tmp_path / 'again'}"])
    assert (tmp_path / "again" / f"match.{video}").read_bytes() == first


def test_a_reward_is_written_into_the_picture_with_what_changed_since_the_step_before(tmp_path: Path) -> None:
    match.main(["kickoff", "points=1", "seconds=4", "video=none", f"out={tmp_path}"])
    recordings = [Recording.load(tmp_path / "point-1.npz")]
    plain, _ = pictures(recordings)
    rewarded, seconds = pictures(recordings, "touch_acceleration")
    assert len(plain) == len(rewarded) == len(seconds)
    assert any((a != b).any() for a, b in zip(plain, rewarded, strict=True))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "one or two players"),
        (["kickoff", "idle", "random"], "one or two players"),
        (["kickoff", "video=avi"], "gif, mp4"),
        (["kickoff", "reward=lucky"], "Did you mean"),
        (["kickoff", "points=0"], "at least 1"),
    ],
)
def test_what_cannot_be_watched_is_refused(words: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        match.main(words)
