"""Point2D: its walk and its areas in closed form."""

from __future__ import annotations

import numpy as np
import pytest

import envs


def walk(actions):
    """Positions and rewards of one point that does these (steps, 2)."""
    venv = envs.make_vec("Point2D-v0", 1, report=("position", "area"))
    venv.reset()
    places, rewards, areas = [], [], []
    for action in actions:
        _, paid, _, infos = venv.step(np.array([action]))
        places.append(infos[0]["position"])
        rewards.append(paid[0])
        areas.append(infos[0]["area"])
    return np.array(places), np.array(rewards), areas


def test_a_stride_is_a_twentieth_of_the_push_and_nobody_leaves_the_square():
    places, _, _ = walk([(1.0, -0.5)] * 30)
    steps = np.arange(1, 31)
    np.testing.assert_allclose(places, np.stack([np.minimum(0.05 * steps, 1), -0.025 * steps], axis=1), atol=1e-12)
    np.testing.assert_allclose(walk([(5.0, 0.0)])[0], [[0.05, 0.0]])


def test_an_area_pays_for_every_step_in_it():
    up = [(0.52, 0.52)] * 29  # .728 before the last, .754 after it
    _, rewards, areas = walk(up + [(0.0, 0.0)] * 21)
    np.testing.assert_array_equal(rewards, [0] * 28 + [1] * 22)
    assert areas == [-1] * 28 + [0] * 22


def test_only_the_area_that_was_entered_first_pays():
    down = [(0.25, -1.0)] + [(0.25, -0.98)] + [(0.0, -1.0)] * 13  # into (0, -.75)
    places, rewards, areas = walk(down)
    assert rewards[-1] == 1
    assert areas[-1] == 2
    assert -0.75 <= places[-1, 1] <= -0.70
    away = [(-1.0, 0.0)] * 15 + [(0.0, 1.0)] * 14  # then through (-.75, -.05), which pays no more
    places, rewards, areas = walk(down + away)
    inside = (np.abs(places[:, 0] + 0.725) <= 0.025) & (np.abs(places[:, 1] + 0.025) <= 0.025)
    assert inside.any()
    assert (rewards[inside] == 0).all()
    assert areas[-1] == 2


def test_where_nothing_pays_it_pays_nothing():
    _, rewards, areas = walk([(0.0, 0.3)] * 50)
    assert rewards.sum() == 0
    assert areas[-1] == -1


@pytest.mark.parametrize("size", [32, 64])
def test_a_picture_shows_where_the_point_is(size):
    venv = envs.make_vec("Point2D-v0", 1)
    states = np.tile(venv.start, (3, 1))
    states[1, 3:5] = 0.5, 0.5
    states[2, 3:5] = -0.5, -0.5
    views = venv.views(states, size)
    assert views.shape == (3, size, size, 3)
    assert views.dtype == np.uint8
    for view, (row, column) in zip(views, [(0.5, 0.5), (0.25, 0.75), (0.75, 0.25)], strict=True):
        yellow = view[..., 0] > 150
        rows, columns = np.nonzero(yellow)
        assert rows.mean() / size == pytest.approx(row, abs=1.5 / size)
        assert columns.mean() / size == pytest.approx(column, abs=1.5 / size)
