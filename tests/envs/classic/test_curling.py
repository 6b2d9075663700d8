"""Curling: ball, arm and circles in closed form, and beside Box2D where that is installed."""

from __future__ import annotations

import numpy as np
import pytest

import envs
from envs.classic.curling import ANGLE1, ANGLE2, SPEED1, VX, VY, X, Y
from foundation.genome_policy import GenomePolicy
from scripts.benchmarks.box2d_curling import Box2DCurling

TICK = 1 / 60
SLOWED = 1 - 1.1 * TICK
"""What a step leaves of a ball's speed."""


def table(**arguments):
    venv = envs.make_vec("Curling-v0", 1, report=("position", "area"), **arguments)
    venv.reset()
    return venv


def play(venv, action, steps):
    """Positions of the ball (steps, 2), and what the last step gave."""
    places = []
    for _ in range(steps):
        last = venv.step(np.array([action], float))
        places.append(last[3][0]["position"])
    return np.array(places), last


def test_a_ball_that_nobody_touches_stays():
    places, (_, rewards, dones, infos) = play(table(), (0, 0), 500)
    np.testing.assert_array_equal(places, np.tile([-0.5, 0.2], (500, 1)))
    assert rewards[0] == 0
    assert dones[0]
    assert infos[0]["area"] == -1
    assert not infos[0]["TimeLimit.truncated"]


def test_a_rolling_ball_loses_its_speed_to_the_damping():
    venv = table()
    venv.states[0, [X, Y, VX, VY]] = -0.5, 0.8, 0.8, 0.1
    places, _ = play(venv, (0, 0), 120)
    kept = SLOWED ** np.arange(1, 121)
    gone = TICK * np.cumsum(kept)
    np.testing.assert_allclose(places, [-0.5, 0.8] + gone[:, None] * [0.8, 0.1], rtol=0, atol=1e-12)


def test_a_ball_bounces_off_the_edge_with_nine_tenths_of_its_speed():
    venv = table()
    venv.states[0, [X, Y, VX, VY]] = 1.3, 1.0, 6.0, 0.5
    play(venv, (0, 0), 1)
    np.testing.assert_allclose(venv.states[0, [VX, VY]], [-0.9 * 6 * SLOWED, 0.5 * SLOWED])
    assert venv.states[0, X] == 1.35


def test_a_ball_that_hits_a_resting_arm_comes_back():
    venv = table()
    venv.states[0, [X, Y, VX, VY]] = -0.201, -0.4, 2.0, 0.0
    play(venv, (0, 0), 1)
    assert venv.states[0, VX] == pytest.approx(-0.9 * 2 * SLOWED)
    assert venv.states[0, VY] == pytest.approx(0, abs=1e-12)
    assert venv.states[0, X] == pytest.approx(-0.2)


@pytest.mark.parametrize("ball", [(1.345, 1.0, 1.0, 0.3), (-0.201, -0.4, 1.0, 0.3)], ids=["edge", "arm"])
def test_a_slow_ball_slides_along_what_it_meets(ball):
    venv = table()
    venv.states[0, [X, Y, VX, VY]] = ball
    play(venv, (0, 0), 1)
    np.testing.assert_allclose(venv.states[0, [VX, VY]], [0, 0.3 * SLOWED], atol=1e-12)


def test_a_swinging_arm_takes_the_ball_along():
    """Hit at rest by a surface of speed s, a ball leaves with 1.9 s."""
    venv = table()
    places, _ = play(venv, (1, 0), 60)  # counter-clockwise: to the left
    hit = np.flatnonzero(np.abs(np.diff(places[:, 0])) > 0)[0] + 1
    angle = (hit + 1) * TICK
    along = np.array([-np.sin(angle), np.cos(angle)])
    share = (np.array([-0.5, 0.2]) - [0, -1.5]) @ along
    normal = np.array([-np.cos(angle), -np.sin(angle)])
    assert (places[hit] - [-0.5, 0.2]) @ normal > 0
    moved = (places[hit + 1] - places[hit]) / TICK / SLOWED
    np.testing.assert_allclose(moved, 1.9 * share * normal, rtol=1e-9)


def test_joints_turn_at_the_speed_they_are_told_up_to_their_stops():
    venv = table()
    play(venv, (5, -0.5), 30)
    np.testing.assert_allclose(venv.states[0, [ANGLE1, ANGLE2]], [0.5, -0.25])
    np.testing.assert_allclose(venv.states[0, [SPEED1, SPEED1 + 1]], [1, -0.5])
    play(venv, (1, -1), 300)
    np.testing.assert_allclose(venv.states[0, [ANGLE1, ANGLE2]], [0.4 * np.pi, -0.9 * np.pi])
    np.testing.assert_array_equal(venv.states[0, [SPEED1, SPEED1 + 1]], 0)


@pytest.mark.parametrize(
    ("place", "paid", "area"),
    [((0.8, 0.8), 1, 0), ((0.8, 0.7), 0.75, 0), ((0.8, 0.39), 0, -1), ((0.8, -0.75), 0.75, 1), ((-1, 1), 0, -1)],
)
def test_a_ball_is_paid_by_how_near_the_middle_it_lies_at_the_end(place, paid, area):
    venv = table(steps=3)
    venv.states[0, [X, Y]] = place
    _, before, dones, _ = venv.step(np.zeros((1, 2)))
    assert before[0] == 0
    assert not dones[0]
    _, (_, rewards, dones, infos) = play(venv, (0, 0), 2)
    assert dones[0]
    assert rewards[0] == pytest.approx(paid, abs=1e-6)
    assert infos[0]["area"] == area
    assert infos[0]["is_success"] == (area >= 0)


def test_an_episode_that_is_cut_short_is_not_paid():
    venv = table(max_episode_steps=2)
    venv.states[0, [X, Y]] = 0.8, 0.8
    _, (_, rewards, dones, infos) = play(venv, (0, 0), 2)
    assert dones[0]
    assert infos[0]["TimeLimit.truncated"]
    assert rewards[0] == 0


def test_hard_curling_has_smaller_circles():
    card = envs.options()["classic/curling_hard"]
    venv = table(**card.kwargs, steps=1)
    venv.states[0, [X, Y]] = 0.8, 0.75
    assert play(venv, (0, 0), 1)[1][1][0] == pytest.approx(0.5, abs=1e-6)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [({"radii": (0.4,)}, "expected 2, one a goal"), ({"radii": (0.4, 0)}, "radii=0"), ({"steps": 0}, "steps=0")],
)
def test_circles_and_lengths_that_make_no_sense_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        table(**arguments)


def test_the_arm_is_in_the_picture_where_that_is_wanted():
    plain, armed = table(), table(draw_arm=True)
    states = np.tile(plain.start, (2, 1))
    states[1, [ANGLE1, ANGLE2]] = -0.8, 0.3
    without, with_arm = plain.views(states, 32), armed.views(states, 32)
    np.testing.assert_array_equal(without[0], without[1])
    assert (with_arm[0] != with_arm[1]).any()
    np.testing.assert_array_equal(with_arm[0][:8], without[0][:8])  # the arm does not reach so high


def test_some_random_policies_move_the_ball_and_none_of_it_ends_outside():
    venv = table()
    genomes = np.random.default_rng(0).normal(0, 1, (300, GenomePolicy(6, 2, venv.hidden).size))
    places = venv.rollouts(genomes, venv.hidden, [499]).positions[:, 0]
    moved = (np.abs(places - [-0.5, 0.2]) > 1e-9).any(axis=1)
    assert 0.1 < moved.mean() < 0.9


# Beside Box2D -------------------------------------------------------------------------------------


def beside(action, steps, ball=None, policy=None):
    """Both balls (steps, 4: place, velocity), ours and Box2D's, under the same action or policy."""
    pytest.importorskip("Box2D", reason="the extra box2d is not installed")
    theirs, venv = Box2DCurling(), table()
    if ball is not None:
        venv.states[0, [X, Y, VX, VY]] = ball
        theirs.ball.position, theirs.ball.linearVelocity = ball[:2], ball[2:]
    seen, paths = [venv.observe(), theirs.observe()[None]], [[], []]
    for _ in range(steps):
        acts = [np.array([action], float) if policy is None else policy(rows) for rows in seen]
        venv.play(acts[0])
        seen = [venv.observe(), theirs.step(acts[1][0])[None]]
        paths[0].append(venv.states[0, [X, Y, VX, VY]])
        paths[1].append([*theirs.ball.position, *theirs.ball.linearVelocity])
    return np.array(paths)


def test_a_ball_rolls_as_in_box2d():
    ours, theirs = beside((0, 0), 200, (-0.5, 0.8, 0.8, 0.1))
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-4)


@pytest.mark.parametrize("ball", [(1.0, 1.0, 3.0, 0.5), (-0.5, -0.4, 3.0, 0.0)], ids=["edge", "arm"])
def test_a_fast_ball_bounces_as_in_box2d(ball):
    ours, theirs = beside((0, 0), 60, ball)
    np.testing.assert_allclose(ours[:, :2], theirs[:, :2], rtol=0, atol=0.04)
    np.testing.assert_allclose(ours[-1, 2:], theirs[-1, 2:], rtol=0, atol=0.04)


@pytest.mark.parametrize("ball", [(1.2, 1.0, 0.8, 0.3), (-0.3, -0.4, 0.8, 0.3)], ids=["edge", "arm"])
def test_a_slow_ball_stays_at_what_it_meets_as_in_box2d(ball):
    ours, theirs = beside((0, 0), 60, ball)
    np.testing.assert_allclose(ours[:, :2], theirs[:, :2], rtol=0, atol=0.04)
    assert abs(ours[-1, 2]) < 0.01
    assert abs(theirs[-1, 2]) < 0.01


def test_an_arm_that_swings_fast_hits_the_ball_as_in_box2d():
    ours, theirs = beside((1, 0), 60)
    hits = [int(np.flatnonzero(np.abs(path[:, 2]) > 0)[0]) for path in (ours, theirs)]
    assert abs(hits[0] - hits[1]) <= 1
    speeds = [path[hit + 1, 2:] for path, hit in zip((ours, theirs), hits, strict=True)]
    angles = [np.arctan2(speed[1], speed[0]) for speed in speeds]
    assert angles[0] == pytest.approx(angles[1], abs=np.radians(2))
    assert np.linalg.norm(speeds[0]) == pytest.approx(np.linalg.norm(speeds[1]), rel=0.15)  # .1 as measured


def test_the_same_policies_touch_the_ball_as_in_box2d():
    genomes = np.random.default_rng(300).normal(0, 1, (12, 94))
    network = GenomePolicy(6, 2, (5, 5, 5))
    moved = []
    for genome in genomes:
        paths = beside(None, 500, policy=lambda rows, genome=genome: network.act(genome[None], rows))
        moved.append([bool((np.abs(path[-1, :2] - [-0.5, 0.2]) > 1e-3).any()) for path in paths])
    moved = np.array(moved)
    np.testing.assert_array_equal(moved[:, 0], moved[:, 1])
    assert 2 <= moved[:, 0].sum() <= 10
