"""Rocket players against each other, and watched."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image

import agents
import envs
from envs.rocket.bots import BOTS
from envs.rocket.contest import Rules, play
from envs.rocket.recording import Recording
from envs.rocket.starts import Start, kickoff
from scripts import match, tournament
from scripts.results.clips import _CAPTION_HEIGHT
from scripts.rocket.match_pictures import PANEL, panel, pictures
from scripts.rocket.pairings import STUDY_BOTS, Pairing, ratings, study
from scripts.rocket.players import Cars, player
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
        (["chase_ball", "idle", "points=0"], "even number"),
        (["chase_ball", "idle", "points=1000000000"], "100000"),
        (["chase_ball", "idle", "seconds=0"], "above 0"),
        (["chase_ball", "idle", "seconds=inf"], "at most 600"),
        (["chase_ball", "idle", "cars=99"], "cars=99.*1 to 3"),
        (["chase_ball", "idle", "seed=-1"], "seed=-1"),
        (["chase_ball", "idle", "tick_skip=7"], "divides 120"),
        (["chase_ball", "idle", "out=/proc/nowhere"], "out=.*cannot be written"),
    ],
)
def test_what_cannot_be_played_is_refused_before_a_point_is_played(
    words: list[str], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scripts.rocket.pairings.play_points", None)
    with pytest.raises(ValueError, match=message):
        tournament.main(words)


def test_an_agent_decides_as_often_as_it_was_trained_to(run: Path, tmp_path: Path) -> None:
    shutil.copytree(run, tmp_path / "quick")
    config = tmp_path / "quick" / "config.yaml"
    settings = yaml.safe_load(config.read_text())
    settings["env"]["kwargs"]["tick_skip"] = 4
    config.write_text(yaml.safe_dump(settings))
    orange = np.array([False, True])
    assert [player(str(path))[1](1, orange).tick_skip for path in (run, tmp_path / "quick")] == [8, 4]
    match.main([str(tmp_path / "quick"), "idle", "points=1", "seconds=1", "video=none", f"out={tmp_path}"])
    assert Recording.load(tmp_path / "point-1.npz").tick_skip == 4
    match.main([str(run), str(tmp_path / "quick"), "points=1", "seconds=1", "video=none", f"out={tmp_path}"])
    both = Recording.load(tmp_path / "point-1.npz")
    assert both.tick_skip == 4
    slow = both.controls[: len(both.controls) // 2 * 2, 0].reshape(-1, 2, 8)
    assert (slow[:, 0] == slow[:, 1]).all(), "the first, which learned with 8 ticks, keeps what it does for two steps"


def test_past_selves_of_a_run_play_against_it(tmp_path: Path) -> None:
    run = tmp_path / "agent"
    more = ["total_timesteps=512", "checkpoint_every=128", "keep_checkpoints=3"]
    assert train([*TINY, *more, f"run_dir={run}"]) == 0
    kept = sorted((run / "checkpoints").iterdir())
    assert [folder.name for folder in kept] == [f"step_{steps:012d}" for steps in (256, 384, 512)]
    orange = np.array([False, True])
    models = [player(str(path))[1](1, orange)._player._model for path in (kept[0], kept[2], run)]  # type: ignore[attr-defined]
    assert [model.num_timesteps for model in models] == [256, 512, 512]
    match.main([f"then:{kept[0]}", f"now:{run}", "points=1", "seconds=1", "video=none", f"out={tmp_path}"])
    (kept[1] / "agent.zip").unlink()
    for path, words in ((kept[1], "agent.zip is missing"), (run / "checkpoints" / "step_1", "expected a bot")):
        with pytest.raises(ValueError, match=words):
            player(str(path))


@pytest.mark.parametrize("keep", [0, -1])
def test_a_run_that_keeps_no_checkpoint_is_refused(
    keep: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train([*TINY, f"keep_checkpoints={keep}", f"run_dir={tmp_path / 'run'}"]) == 2
    assert f"keep_checkpoints={keep}: expected a whole number of at least 1" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_the_points_of_players_of_chance_hang_on_the_seed(tmp_path: Path) -> None:
    for seed, out in ((1, "a"), (1, "b"), (2, "c")):
        match.main(["random", "points=1", "seconds=1", f"seed={seed}", "video=none", f"out={tmp_path / out}"])
    a, b, c = (Recording.load(tmp_path / out / "point-1.npz").controls for out in "abc")
    np.testing.assert_array_equal(a, b)
    assert not np.array_equal(a[:5], c[:5])


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
    assert len({shown[:, -PANEL:].tobytes() for shown in rewarded}) > 1, "it is not 0 where the ball was touched"


def test_what_is_written_beside_the_field_leaves_it_as_it_was() -> None:
    starts = [kickoff(np.random.default_rng(3), np.array([False, True]))]
    [point] = play(lambda k, o: BOTS["kickoff"](), None, [start_of_one(starts[0])], Rules(seconds=1.0), record=True)
    assert point.recording is not None
    plain, _ = pictures([point.recording])
    rewarded, _ = pictures([point.recording], "123456789*align - 2e4*ball_to_goal_difference(offensive_weight=0.123)")
    height, width, _ = plain[0].shape
    assert rewarded[0].shape == (height, width + PANEL, 3)
    for with_words, without in zip(rewarded, plain, strict=True):
        np.testing.assert_array_equal(with_words[_CAPTION_HEIGHT:, :width], without[_CAPTION_HEIGHT:])


def start_of_one(start: Start) -> Start:
    return Start(start.ball_position, start.car_position[:1], yaw=np.zeros(1))


@pytest.mark.parametrize(
    "value", [0.0, -9999.994, 123456.7, -1.5e300, float("1e-12"), 9999.999],
)  # fmt: skip
def test_a_number_beside_the_field_is_whole_and_apart_from_the_longest_name(value: float) -> None:
    background = np.array([22, 26, 32])

    def ink(numbers: dict[str, float]) -> np.ndarray:
        return (panel(numbers, 40) != background).any(axis=(0, 2))

    alone, both = ink({"": value}), ink({"ball_to_goal_difference(offensive_dispersion=0.6, more=2)": value})
    first = int(np.flatnonzero(alone)[0])
    assert not alone[-4:].any(), "nothing is cut at the edge"
    np.testing.assert_array_equal(alone[first:], both[first:], "the number is the same beside a long name")
    assert not both[first - 4 : first].any(), "and does not touch it"


def test_more_components_than_have_room_are_counted() -> None:
    few, many = ({f"part {i}": 1.0 for i in range(n)} for n in (20, 60))
    assert panel(few, 490).shape == panel(many, 490).shape == (490, PANEL, 3)
    assert (panel(many, 490)[-6:] == panel({}, 490)[-6:]).all(), "nothing is cut below"


@pytest.mark.parametrize("agent", ["maskable_ppo", "recurrent_ppo"])
def test_agents_at_play_know_their_masks_and_keep_their_memory(agent: str) -> None:
    venv = envs.make_vec("Rocket1v1-v0", 2)
    described = agents.get(agent)
    model = described.build(venv, seed=1, n_steps=8, batch_size=16)
    cars = Cars(SimpleNamespace(agent=described), model)  # type: ignore[arg-type]
    masks = np.zeros((2, 90), bool)
    masks[0, 3], masks[1, 40] = True, True
    observations = venv.reset()
    actions = [cars(observations, np.array([step == 0] * 2), masks) for step in range(3)]
    if agent == "maskable_ppo":
        assert [row.tolist() for row in actions] == [[3, 40]] * 3
    else:
        assert cars._player is not None
        first = cars._player._state[0].copy()
        cars(observations, np.array([False, False]), masks)
        assert not np.allclose(first, cars._player._state[0])
        cars(observations, np.array([True, False]), masks)
        begun = cars._player._state[0][:, 0].copy()
        cars(observations, np.array([True, False]), masks)
        assert np.allclose(begun, cars._player._state[0][:, 0], atol=1e-6), "a new episode begins without memory"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "one or two players"),
        (["kickoff", "idle", "random"], "one or two players"),
        (["kickoff", "video=avi"], "gif, mp4"),
        (["kickoff", "reward=lucky"], "Did you mean"),
        (["kickoff", "points=0"], "at least 1"),
        (["kickoff", "points=1001"], "1 to 1000"),
        (["kickoff", "cars=99"], "cars=99.*1 to 3"),
        (["idle", "seconds=inf"], "seconds=inf"),
        (["idle", "seconds=1e9"], "at most 600"),
        (["idle", "no_touch_seconds=inf"], "no_touch_seconds=inf"),
        (["idle", "starts=replay"], "kickoff, random"),
        (["idle", "seed=4294967296"], "seed=4294967296"),
        (["idle", "tick_skip=0"], "tick_skip=0"),
        (["idle", "reward=1e999*align"], "not finite"),
        (["idle", "out=/proc/nowhere"], "out=.*cannot be written"),
    ],
)
def test_what_cannot_be_watched_is_refused_before_a_point_is_played(
    words: list[str], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scripts.rocket.match_pictures.play", None)
    with pytest.raises(ValueError, match=message):
        match.main(words)
