"""HardMaze: driving, bumping and seeing, against geometry."""

from __future__ import annotations

import numpy as np
import pytest

import envs
from envs.classic.hard_maze import WALLS
from envs.classic.wheeled_robot import HEADING, THICK, X, Y


def maze(place=None, n=1, **arguments):
    venv = envs.make_vec("HardMaze-v0", n, report=("position", "area"), **arguments)
    venv.reset()
    if place is not None:
        venv.states[:, [X, Y, HEADING]] = place
    return venv


def play(venv, action, steps):
    for _ in range(steps):
        last = venv.step(np.tile(np.array(action, float), (venv.num_envs, 1)))
    return last


def test_it_starts_down_left_and_drives_straight_ahead():
    venv = maze()
    infos = play(venv, (1, 1), 50)[3]
    np.testing.assert_allclose(infos[0]["position"] * 600, [60 + 50 / np.sqrt(2), 450 + 50 / np.sqrt(2)])


def test_wheels_against_each_other_turn_on_the_spot():
    venv = maze()
    play(venv, (1, -1), 10)  # to the right: downwards
    np.testing.assert_allclose(venv.states[0, [X, Y, HEADING]], [60, 450, np.pi / 4 + 10 * 2 / 20])


def test_one_wheel_alone_drives_a_circle_about_the_other():
    venv = maze((300.0, 560.0, 0.0))
    play(venv, (1, 0), 30)  # 30 pixels of a circle of radius 20 to the right
    angle = 30 / 20
    expected = [300 + 10 * np.sin(angle), 560 + 10 - 10 * np.cos(angle), angle]
    np.testing.assert_allclose(venv.states[0, [X, Y, HEADING]], expected, atol=1e-9)


def test_it_stops_at_a_wall_and_its_bumpers_say_so():
    venv = maze((500.0, 500.0, np.pi / 2))  # straight down to the border
    seen = play(venv, (1, 1), 84)[0]
    np.testing.assert_allclose(venv.states[0, [X, Y]], [500, 584])
    np.testing.assert_array_equal(seen[0, 3:], 0)
    seen = play(venv, (1, 1), 5)[0]
    np.testing.assert_allclose(venv.states[0, [X, Y]], [500, 584])
    np.testing.assert_array_equal(seen[0, 3:], 1)
    seen = play(venv, (-1, -1), 1)[0]
    np.testing.assert_array_equal(seen[0, 3:], 0)


@pytest.mark.parametrize(("heading", "bumpers"), [(0.3, (0, 1)), (np.pi - 0.3, (1, 0))])
def test_the_bumper_on_the_side_of_the_wall_touches(heading, bumpers):
    venv = maze((500.0, 580.0, heading))  # to the right along the border below, and to the left
    seen = play(venv, (1, 1), 50)[0]
    np.testing.assert_array_equal(seen[0, 3:], bumpers)
    assert venv.states[0, Y] <= 584


def test_walls_inside_stop_it_too():
    venv = maze((100.0, 400.0, 0.0))  # to the right, to the wall at x = 175
    play(venv, (1, 1), 100)
    assert 158 < venv.states[0, X] <= 175 - 16


def to_lines(at):
    """Distances (n, walls) of places (n, 2) to the walls' lines."""
    start, along = WALLS[:, :2], WALLS[:, 2:4] - WALLS[:, :2]
    away = at[:, None] - start
    share = np.clip((away * along).sum(axis=2) / (along**2).sum(axis=1), 0, 1)
    return np.linalg.norm(away - share[..., None] * along, axis=2)


def clear(x, y):
    return to_lines(np.array([[x, y]])).min() > 16


def marched(x, y, angle):
    """The same by small strides: how far a ray goes in free space."""
    far = np.arange(0, 100, 0.01)
    at = np.stack([x + far * np.cos(angle), y + far * np.sin(angle)], axis=1)
    hit = ((at < THICK) | (at > 600 - THICK)).any(axis=1) | (to_lines(at) < THICK).any(axis=1)
    return far[hit.argmax()] if hit.any() else 100.0


def test_lasers_see_what_rays_hit():
    venv = maze(n=60)
    random = np.random.default_rng(0)
    play(venv, (0, 0), 1)
    for row in range(60):  # places anywhere in free space
        x, y = random.uniform(20, 580, 2)
        while not clear(x, y):
            x, y = random.uniform(20, 580, 2)
        venv.states[row, [X, Y, HEADING]] = x, y, random.uniform(0, 2 * np.pi)
    seen = venv.observe()
    for row in range(60):
        x, y, heading = venv.states[row, [X, Y, HEADING]]
        expected = [marched(x, y, heading + side * np.pi / 4) for side in (1, 0, -1)]
        np.testing.assert_allclose(seen[row, :3], expected, atol=0.02)
    assert (seen[:, :3] == 100).any()
    assert (seen[:, :3] < 99).sum() > 60


def test_scaled_lasers_are_hundredths_of_the_others():
    np.testing.assert_allclose(maze(scale_lasers=True).observe()[0, :3] * 100, maze().observe()[0, :3], rtol=1e-6)


@pytest.mark.parametrize(
    ("place", "paid", "area"), [((60, 60), 1, 0), ((60, 85), 0.5, 0), ((100, 200), 1, 1), ((300, 560), 0, -1)]
)
def test_it_is_paid_by_where_it_stands_at_the_end(place, paid, area):
    venv = maze((*place, 0.0), steps=2)
    assert venv.step(np.zeros((1, 2)))[1][0] == 0
    _, rewards, dones, infos = venv.step(np.zeros((1, 2)))
    assert dones[0]
    assert rewards[0] == pytest.approx(paid)
    assert infos[0]["area"] == area


def test_it_drives_as_fast_as_is_wanted():
    venv = maze((300.0, 560.0, 0.0), speed=4.0)
    play(venv, (1, 1), 10)
    assert venv.states[0, X] == pytest.approx(340)


@pytest.mark.parametrize(
    ("arguments", "message"), [({"speed": 5}, "speed=5"), ({"steps": 0}, "steps=0"), ({"radii": (1,)}, "expected 2")]
)
def test_what_makes_no_sense_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        maze(**arguments)
