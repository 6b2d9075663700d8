"""CollectBall: what is grabbed, let go and brought home, and what the sensors say of it."""

from __future__ import annotations

import numpy as np
import pytest

import envs
from envs.classic.collect_ball import CARRIED, GONE, PLACES
from envs.classic.wheeled_robot import HEADING, X, Y


def arena(**arguments):
    venv = envs.make_vec("CollectBall-v0", 1, report=("position", "area"), **arguments)
    venv.reset()
    return venv


def play(venv, action, steps):
    """The sum of rewards, and the last observation and info."""
    total = 0.0
    for _ in range(steps):
        seen, rewards, _, infos = venv.step(np.array([action], float))
        total += rewards[0]
    return total, seen[0], infos[0]


def test_it_starts_at_home_before_six_balls():
    venv = arena()
    assert venv.states[0, [X, Y]].tolist() == [300, 500]
    assert (venv.states[0, GONE:] == 0).all()
    seen = venv.observe()[0]
    np.testing.assert_allclose(seen[:3], [100, 100, 100])
    np.testing.assert_array_equal(seen[3:5], 0)
    assert seen[9] == 0


def test_a_ball_that_is_brought_home_pays_one_and_is_gone():
    venv = arena()
    paid, seen, _ = play(venv, (1, 1, 1), 180)  # up to (300, 320), 20 from the ball at (300, 300)
    assert paid == 0
    assert seen[9] == 1
    assert venv.states[0, CARRIED] == 4
    paid, seen, info = play(venv, (-1, -1, 1), 169)
    assert paid == 0
    np.testing.assert_allclose(venv.states[0, PLACES + 8 : PLACES + 10], venv.states[0, [X, Y]])
    assert info["area"] == -1
    paid, seen, info = play(venv, (-1, -1, 1), 1)
    assert paid == 1
    assert info["area"] == 0
    assert seen[9] == 0
    assert venv.states[0, GONE:].tolist() == [0, 0, 0, 0, 1, 0]
    paid, _, _ = play(venv, (-1, -1, 1), 10)  # once is once
    assert paid == 0


def test_two_balls_pay_two():
    venv = arena()
    assert play(venv, (1, 1, 1), 185)[0] + play(venv, (-1, -1, 1), 190)[0] == 1
    assert play(venv, (1, 1, 1), 385)[0] + play(venv, (-1, -1, 1), 390)[0] == 1  # the one at (300, 100)
    assert venv.states[0, GONE:].sum() == 2


def test_a_ball_that_is_let_go_lies_where_that_was():
    venv = arena()
    play(venv, (1, 1, 1), 185)
    play(venv, (-1, -1, 1), 100)
    play(venv, (-1, -1, -1), 30)
    np.testing.assert_allclose(venv.states[0, PLACES + 8 : PLACES + 10], [300, 415])
    assert play(venv, (-1, -1, -1), 60)[0] == 0
    assert venv.states[0, CARRIED] == -1


def test_who_does_not_hold_grabs_nothing():
    venv = arena()
    paid, seen, _ = play(venv, (1, 1, -1), 300)
    assert paid == 0
    assert seen[9] == 0
    assert venv.states[0, PLACES + 8 : PLACES + 10].tolist() == [300, 300]


@pytest.mark.parametrize(
    ("place", "ball", "home"),
    [
        ((300, 560, -np.pi / 2), (1, 1), (1, 1)),  # upwards, straight to home and a ball
        ((280, 400, 0.0), (1, 0), (0, 1)),  # to the right: the ball lies ahead above, home ahead below
        ((320, 400, 0.0), (0, 0), (0, 0)),  # past both
        ((520, 400, np.pi), (0, 1), (1, 0)),  # to the left, where above is to the right
        ((480, 400, np.pi), (0, 0), (1, 0)),
    ],
)
def test_sensors_say_on_which_side_the_nearest_ball_and_home_lie_ahead(place, ball, home):
    venv = arena()
    venv.states[0, [X, Y, HEADING]] = place
    seen = venv.observe()[0]
    assert tuple(seen[5:7]) == ball
    assert tuple(seen[7:9]) == home


def test_a_ball_that_is_carried_is_not_the_nearest_one():
    venv = arena()
    seen = play(venv, (1, 1, 1), 250)[1]  # past (300, 300) with the ball from there, towards (300, 100)
    assert tuple(seen[5:7]) == (1, 1)
    venv.states[0, GONE:] = 1
    assert tuple(venv.observe()[0, 5:7]) == (0, 0)


def test_a_speed_that_makes_no_sense_is_refused():
    with pytest.raises(ValueError, match="speed=5"):
        arena(speed=5)
