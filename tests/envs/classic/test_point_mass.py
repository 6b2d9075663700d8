"""PointMass: its rules in closed form, and what doing nothing and anything comes to."""

from __future__ import annotations

import numpy as np
import pytest

import envs
from envs.classic.point_mass import brake_and_return


def play(act, n_envs=64, seed=300):
    """Returns (n_envs,) of an episode each, and every reward (60, n_envs)."""
    venv = envs.make_vec("PointMass-v0", n_envs, seed=seed)
    seen, rewards = venv.reset(), []
    for _ in range(60):
        seen, paid, dones, infos = venv.step(act(seen))
        rewards.append(paid)
    assert dones.all()
    assert all(info["TimeLimit.truncated"] for info in infos)
    return np.sum(rewards, axis=0), np.array(rewards)


def test_a_mass_that_is_never_pushed_stays_where_it_started():
    returns, rewards = play(lambda seen: np.zeros((len(seen), 2)))
    np.testing.assert_allclose(rewards, np.broadcast_to(rewards[0], rewards.shape))
    assert (-rewards[0] >= 1.5).all()
    assert (-rewards[0] <= 2.0).all()
    assert returns.mean() == pytest.approx(-105, abs=3)  # 60 times 1.75


def test_pushes_at_random_carry_it_away():
    random = np.random.default_rng(0)
    returns, _ = play(lambda seen: random.uniform(-1, 1, (len(seen), 2)))
    assert -165 < returns.mean() < -125


def test_velocity_and_place_are_clipped_and_pushes_beyond_one_are_one():
    venv = envs.make_vec("PointMass-v0", 2, seed=0)
    venv.reset()
    for step in range(59):
        seen, rewards, _, _ = venv.step(np.array([[1.0, 1.0], [50.0, 50.0]]))
        assert (seen[:, 2:] <= 2.0).all()
        if step == 0:
            np.testing.assert_allclose(seen[:, 2:], 0.2)
    np.testing.assert_allclose(seen, [[4, 4, 2, 2]] * 2)
    np.testing.assert_allclose(rewards, -np.sqrt(32), rtol=1e-6)


def test_starts_lie_in_every_direction():
    seen = envs.make_vec("PointMass-v0", 256, seed=1).reset()
    angles = np.arctan2(seen[:, 1], seen[:, 0])
    counts, _ = np.histogram(angles, bins=8, range=(-np.pi, np.pi))
    assert counts.min() > 15
    np.testing.assert_array_equal(seen[:, 2:], 0)


def test_with_a_goal_an_episode_is_over_there_and_a_success():
    venv = envs.make_vec("PointMass-v0", 32, seed=3, goal=0.2)
    seen, ended = venv.reset(), np.zeros(32, int)
    for _ in range(60):
        seen, rewards, dones, infos = venv.step(brake_and_return(seen))
        for paid, done, info in zip(rewards, dones, infos, strict=True):
            assert done == (-paid <= 0.2)
            if done:
                assert info["is_success"]
                assert not info["TimeLimit.truncated"]
        ended += dones
    assert (ended >= 1).all()
    with pytest.raises(ValueError, match="goal"):
        envs.make_vec("PointMass-v0", 1, goal=1.5)
