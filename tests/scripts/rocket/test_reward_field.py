"""Rewards over the field and over recorded matches."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from envs.rocket.bots import ChaseBall, Kickoff
from envs.rocket.contest import Rules, play
from envs.rocket.recording import Recording
from envs.rocket.starts import kickoff
from scripts import analyse_reward
from scripts.rocket import reward_field
from scripts.rocket.reward_field import goal_values, over_field
from scripts.rocket.reward_series import Arguments, over_recordings
from shaping.kinesthetic import EVENTS, REWARDS, expression


def test_the_field_shows_a_reward_where_the_thing_is_moved() -> None:
    near = expression("player_to_ball_distance", REWARDS, "reward")
    places = np.array([[0.0, 0.0], [0.0, 2000.0], [-2000.0, 0.0]])
    by_car = over_field(near, reward_field.Arguments(move="car", ball=(0.0, 2000.0, 93.0), height=93.0), places)
    assert by_car.argmax() == 1
    by_ball = over_field(near, reward_field.Arguments(move="ball", car=(-2000.0, 0.0, 17.0), height=17.0), places)
    assert by_ball.argmax() == 2
    assert by_car.max() == by_ball.max() > 1.0, "both stand in the ball's centre"


def test_an_opponent_costs_what_it_has() -> None:
    near = expression("player_to_ball_distance", REWARDS, "reward")
    arguments = reward_field.Arguments(
        move="ball", car=(1000.0, 0.0, 17.0), opponent=(-1000.0, 0.0, 17.0), team_spirit=0.3
    )
    values = over_field(near, arguments, np.array([[0.0, 0.0], [800.0, 0.0], [-800.0, 0.0]]))
    assert values[0] == pytest.approx(0.0, abs=1e-9)
    assert values[1] == pytest.approx(-values[2])
    assert values[1] > 0


def test_goals_are_marked_with_what_they_pay() -> None:
    assert goal_values(expression("lucy", EVENTS, "events"), reward_field.Arguments()) == (10.0, -3.0)


def test_the_picture_and_its_numbers_are_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    analyse_reward.main(["reward=lucy", "events=lucy", "car_velocity=0,1500,0", f"out={tmp_path}"])
    with np.load(tmp_path / "field.npz") as file:
        assert len(file["values"]) > 10_000
        assert np.isfinite(file["values"]).all()
        assert (np.abs(file["x"]) + np.abs(file["y"])).max() == pytest.approx(8064.0)
    colours = np.asarray(Image.open(tmp_path / "field.png").convert("RGB")).reshape(-1, 3)
    assert len(np.unique(colours, axis=0)) > 200, "a filled contour"
    assert "field.png" in capsys.readouterr().out


@pytest.fixture(scope="module")
def recording() -> Recording:
    starts = [kickoff(np.random.default_rng(3), np.array([False, True]))]
    [point] = play(lambda k, o: Kickoff(), lambda k, o: ChaseBall(), starts, Rules(seconds=30.0), record=True)
    assert point.recording is not None
    return point.recording


def test_a_recorded_match_becomes_series_distributions_and_correlations(recording: Recording, tmp_path: Path) -> None:
    recording.save(tmp_path / "point.npz")
    analyse_reward.main([str(tmp_path / "point.npz"), "reward=lucy", "events=lucy", f"out={tmp_path}"])
    rows = list(csv.DictReader((tmp_path / "series.csv").open()))
    assert len(rows) == 2 * len(recording.controls)
    assert [row["car"] for row in rows[:2]] == ["blue-0", "orange-0"]
    for name in ("series", "distributions", "correlations"):
        assert Image.open(tmp_path / f"{name}.png").width > 500


def test_series_are_what_the_direct_form_pays(recording: Recording) -> None:
    term = Arguments(reward="align", events="touch_acceleration").term()
    series = over_recordings(term, [recording, recording])
    assert series.names == ["reward", "align", "touch_acceleration"]
    assert series.values[..., 0] == pytest.approx(series.values[..., 1] + series.values[..., 2])
    touches = np.array([states.touched[0] for states in recording.play()[1:]])
    assert (series.values[: len(touches), :, 2] != 0).sum() == touches.sum() > 0
    assert (series.match == np.repeat([1, 2], len(touches))).all()


def test_series_are_what_the_potential_form_pays(recording: Recording) -> None:
    arguments = Arguments(reward="ball_y", events="10*goal", form="potential")
    series = over_recordings(arguments.term(), [recording, recording])
    assert series.names == ["reward", "Φ", "ball_y", "goal"]
    steps = len(recording.controls)
    paid, phi, goal = series.values[:, :, 0], series.values[:, :, 1], series.values[:, :, 3]
    assert paid[1:steps] == pytest.approx(phi[1:steps] - phi[: steps - 1] + 10 * goal[1:steps])
    assert (phi[0] == phi[steps]).all(), "the second match begins anew"
    assert paid[0] == pytest.approx(paid[steps])
    assert goal.sum() == 2
    assert paid[:steps].sum(axis=0) == pytest.approx(phi[steps - 1] + 10 * goal[:steps].sum(axis=0), abs=1e-3)


@pytest.mark.parametrize(
    ("arguments", "gamma"),
    [({"discount": "agent"}, 0.9), ({"terminal": "zero"}, 1.0), ({"negative_slope": 0.5}, 1.0)],
)
def test_series_take_every_setting_of_the_potential_form(
    recording: Recording, arguments: dict[str, Any], gamma: float
) -> None:
    series = over_recordings(Arguments(reward="ball_y", form="potential", **arguments).term(), [recording], 0.9)
    phi, before = series.values[1:, :, 1], series.values[:-1, :, 1]
    after = phi.copy()
    if "terminal" in arguments:
        after[-1] = 0.0
    expected = gamma * after - before
    if "negative_slope" in arguments:
        expected = np.where(expected < 0, 0.5 * expected, expected)
    assert series.values[1:, :, 0] == pytest.approx(expected)
    assert series.goals[-1] != 0, "else nothing was terminated"


def test_series_share_in_the_team_as_the_term_does(recording: Recording) -> None:
    series = over_recordings(Arguments(reward="align", team_spirit=0.3).term(), [recording])
    assert series.values[:, 0, 0] == pytest.approx(-series.values[:, 1, 0]), "one against one is zero-sum"
    assert np.abs(series.values[:, 0, 0]).max() > 0.1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["reward=lucky"], "Did you mean"),
        (["move=goal"], "car, ball"),
        (["ball=1,2"], "three numbers"),
        (["height=9000"], "ceiling"),
        (["chase_ball"], "scripts.match"),
        (["team_spirit=2"], "0 to 1"),
        (["form=potential"], "form"),
        (["reward=1e999*align"], "not finite"),
        (["point.npz", "move=car"], "move"),
        (["point.npz", "form=both"], "direct, potential"),
        (["point.npz", "gamma=0.9"], "discount=agent"),
        (["point.npz", "discount=agent", "gamma=0.9"], "form=potential"),
        (["point.npz", "terminal=zero"], "form=potential"),
        (["point.npz", "reward=lucky"], "Did you mean"),
        (["point.npz", "chase_ball"], "recordings"),
    ],
)
def test_what_cannot_be_drawn_is_refused(arguments: list[str], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        analyse_reward.main(arguments)


def test_a_folder_that_cannot_be_written_is_refused_before_the_recordings_are_read(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    for words in (["reward=lucy"], ["missing.npz"]):
        with pytest.raises(ValueError, match=r"out=.*is a file"):
            analyse_reward.main([*words, f"out={tmp_path / 'file' / 'below'}"])
    with pytest.raises(ValueError, match=r"out=.*cannot be written"):
        analyse_reward.main(["missing.npz", "out=/proc/nowhere"])
    (tmp_path / "taken" / "field.npz").mkdir(parents=True)
    with pytest.raises(ValueError, match=r"field\.npz is a folder"):
        analyse_reward.main([f"out={tmp_path / 'taken'}"])
    assert not (tmp_path / "taken" / "field.png").exists()
