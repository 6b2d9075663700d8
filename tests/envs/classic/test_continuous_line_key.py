"""The continuous line with a key keeps to its rules."""

from __future__ import annotations

import numpy as np
import pytest

import envs
from envs.classic.continuous_line_key import LEFT, PICK, RIGHT


def line(n=1, **arguments):
    venv = envs.make_vec("ContinuousLineKey-v0", n, seed=0, **arguments)
    venv.reset()
    return venv


def put(venv, place, key=False):
    venv.places[:], venv.keys[:] = place, key


@pytest.mark.parametrize(("action", "way"), [(LEFT, -1), (RIGHT, 1)])
def test_a_move_is_a_stride_its_way_and_one_in_ten_slips_the_other(action, way):
    venv = line(4000)
    put(venv, 0.5)
    moved = venv.step(np.full(4000, action))[0][:, 0] - 0.5
    assert (np.abs(moved) >= 0.074 - 1e-6).all()
    assert (np.abs(moved) <= 0.076 + 1e-6).all()
    assert (np.sign(moved) != way).mean() == pytest.approx(0.1, abs=0.02)
    put(venv, 0.03 if action == LEFT else 0.97)
    ends = venv.step(np.full(4000, action))[0][:, 0]
    assert (ends == (0.0 if action == LEFT else 1.0)).mean() == pytest.approx(0.9, abs=0.02)


@pytest.mark.parametrize(("place", "key"), [(0.09, False), (0.1, True), (0.2, True), (0.21, False)])
def test_the_key_is_picked_in_its_zone_alone_and_nothing_moves(place, key):
    venv = line()
    put(venv, place)
    seen = venv.step(np.array([PICK]))[0]
    assert seen[0].tolist() == pytest.approx([place, float(key)], abs=1e-6)


@pytest.mark.parametrize(
    ("place", "key", "action", "pays"),
    [(0.95, True, RIGHT, True), (0.95, False, RIGHT, False), (0.89, True, RIGHT, False), (0.95, True, LEFT, False)],
)
def test_going_right_from_the_goal_with_the_key_pays_and_ends(place, key, action, pays):
    venv = line()
    put(venv, place, key)
    _, rewards, dones, infos = venv.step(np.array([action]))
    assert (rewards[0], bool(dones[0])) == ((10.0, True) if pays else (0.0, False))
    if pays:
        assert infos[0]["is_success"]
        assert not infos[0]["TimeLimit.truncated"]


def test_who_fetches_the_key_and_goes_right_succeeds():
    venv = line(200)
    done = np.zeros(200, bool)
    seen = venv.observe()
    for _ in range(49):
        picks = (seen[:, 1] == 0) & (seen[:, 0] >= 0.1) & (seen[:, 0] <= 0.2)
        ways = np.where((seen[:, 1] > 0) | (seen[:, 0] < 0.1), RIGHT, LEFT)
        seen, _, _, infos = venv.step(np.where(picks, PICK, ways))
        done |= np.array([bool(info.get("is_success")) for info in infos])
    assert done.mean() > 0.95
