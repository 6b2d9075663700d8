"""LineKeys: one kind of key opens the goal, and what is far away pays again and again."""

from __future__ import annotations

import numpy as np
import pytest

import envs
from envs.classic.line_keys import ID, LEFT, PICK, RIGHT


def lines(n=64, seed=0, **arguments):
    venv = envs.make_vec(ID, n, seed=seed, **arguments)
    venv.reset()
    return venv


def play_to_the_goal(venv, pick):
    """To the keys, take one, to the goal, and stay. Returns rewards (steps, n), the last infos."""
    rewards = []
    for _ in range(venv.max_episode_steps):
        seen = venv.observe()
        actions = np.where(seen[:, 1] == 1, RIGHT, np.where(seen[:, 2] == 1, pick, LEFT))
        _, reward, _, infos = venv.step(actions)
        rewards.append(reward)
    return np.array(rewards), infos


def test_the_true_key_opens_the_goal_and_every_further_step_to_the_right_pays():
    rewards, infos = play_to_the_goal(lines(), PICK)
    assert set(np.unique(rewards)) == {0.0, 1.0}
    assert 38 <= rewards.sum(axis=0).mean() <= 44
    assert all(info["is_success"] for info in infos)


@pytest.mark.parametrize(("arguments", "pays"), [({}, 0.0), ({"distractor": True}, 0.01)])
def test_another_key_opens_nothing_and_only_the_distractor_pays_for_it(arguments, pays):
    venv = lines(**arguments)
    rewards, infos = play_to_the_goal(venv, PICK + 1)
    assert rewards.max() == pytest.approx(pays)
    assert not any(info["is_success"] for info in infos)


def test_other_keys_are_of_every_kind_but_the_true_one_and_the_first_is_kept():
    venv = lines(256, keys=4)
    venv.places[:] = 0.05
    venv.step(np.full(256, PICK + 1))
    assert set(venv.kinds.tolist()) == {1, 2, 3}
    kept = venv.kinds.copy()
    venv.step(np.full(256, PICK))
    np.testing.assert_array_equal(venv.kinds, kept)
    np.testing.assert_array_equal(venv.observe()[:, 4:].argmax(axis=1), kept)


def test_keys_are_taken_in_their_zone_alone():
    venv = lines()
    venv.step(np.full(64, PICK))
    assert (venv.kinds == -1).all()


def test_a_twentieth_of_the_moves_goes_the_other_way_and_picking_stays():
    venv = lines(4000)
    before = venv.places.copy()
    venv.step(np.full(4000, RIGHT))
    moved = venv.places - before
    assert (moved < 0).mean() == pytest.approx(0.05, abs=0.02)
    assert np.abs(moved).min() >= 0.0739
    assert np.abs(moved).max() <= 0.0761
    before = venv.places.copy()
    venv.step(np.full(4000, PICK))
    np.testing.assert_array_equal(venv.places, before)


def test_the_distractor_s_noise_goes_either_way():
    venv = lines(1000, distractor=True, noise=0.05)
    venv.places[:] = 0.95
    _, rewards, _, _ = venv.step(np.full(1000, RIGHT))
    np.testing.assert_allclose(np.unique(rewards), [-0.04, 0.06], atol=1e-6)
    assert rewards.mean() == pytest.approx(0.01, abs=0.01)


def test_with_one_kind_of_key_there_is_one_way_to_take_it():
    assert lines(1, keys=1).action_space.n == 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"keys": 0}, "keys=0"),
        ({"noise": -1.0, "distractor": True}, "noise=-1"),
        ({"noise": 0.1}, "distractor=true"),
    ],
)
def test_what_makes_no_sense_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        lines(**arguments)
