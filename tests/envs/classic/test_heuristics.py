"""Worlds with a heuristic: their dynamics are gymnasium's, their heuristics the paper's."""

from __future__ import annotations

import gymnasium
import numpy as np
import pytest

import envs
from envs.catalogue import Request
from envs.classic.advised_cart_pole import AdvisedCartPoleVecEnv
from envs.classic.sparse_mountain_car import SparseMountainCarVecEnv
from envs.classic.sparse_square import SparseSquareVecEnv

CHANNELS = ("reward_channels",)


def hints(infos):
    return np.array([info["reward_channels"]["heuristic"] for info in infos])


@pytest.mark.parametrize(
    ("worlds", "theirs"), [(SparseMountainCarVecEnv, "MountainCar-v0"), (AdvisedCartPoleVecEnv, "CartPole-v1")]
)
def test_dynamics_are_those_of_gymnasium(worlds, theirs):
    ours, random = worlds(Request(1, seed=4)), np.random.default_rng(0)
    reference = gymnasium.make(theirs).unwrapped
    rows = ours.reset()
    for _ in range(400):
        reference.reset(seed=0)
        reference.state = ours.states[0].copy()
        action = int(random.integers(ours.action_space.n))
        row, _, terminated, _, _ = reference.step(action)
        rows, _, dones, infos = ours.step([action])
        assert bool(dones[0]) == terminated
        np.testing.assert_allclose(infos[0]["terminal_observation"] if dones[0] else rows[0], row, atol=1e-6)


def walk(venv, actions):
    """Rewards, heuristics and the last step's infos of one world along actions."""
    venv.reset()
    rewards, paid, infos = [], [], [{}]
    for action in actions:
        _, reward, dones, infos = venv.step([action])
        rewards.append(float(reward[0]))
        paid.append(float(hints(infos)[0]))
        if dones[0]:
            break
    return rewards, paid, infos[0]


def test_who_walks_up_and_right_reaches_the_box_and_is_paid_once():
    solved = 0
    for seed in range(5):
        venv = SparseSquareVecEnv(Request(1, seed=seed, report=CHANNELS), heuristic="bad")
        rewards, paid, info = walk(venv, [0, 0, 0, 0, 1, 1, 1, 1, 0, 1, 0, 1, 0, 1])
        if info.get("is_success"):
            solved += 1
            assert rewards[-1] == pytest.approx(99.9)
            assert rewards[:-1] == pytest.approx([-0.1] * (len(rewards) - 1))
            assert paid[-1] == 0.0
    assert solved >= 3


def test_the_middle_of_the_square_lures_and_the_good_heuristic_is_the_distance():
    venv = SparseSquareVecEnv(Request(1, report=CHANNELS), heuristic="bad")
    venv.reset()
    venv.places[0] = 0.5, 0.41
    venv._drawn[:] = 0.99
    _, rewards, _, infos = venv.step([0])  # four strides up: 0.455, 0.5, 0.545, 0.59
    assert hints(infos)[0] == pytest.approx(200.0)
    assert rewards[0] == pytest.approx(-0.1)
    for heuristic, expected in (
        ("good", -sum((0.5 - 0.87) ** 2 + (0.455 + 0.045 * k - 0.87) ** 2 for k in range(4))),
        ("published_good", -4 * ((0.5 - 0.87) ** 2 + 0.12**2)),
        ("none", 0.0),
    ):
        venv = SparseSquareVecEnv(Request(1, report=CHANNELS), heuristic=heuristic)
        venv.reset()
        venv.places[0] = 0.5, 0.41
        venv._drawn[:] = 0.99
        assert hints(venv.step([0])[3])[0] == pytest.approx(expected)


def test_one_step_in_ten_goes_anywhere():
    venv = SparseSquareVecEnv(Request(2000, seed=3))
    venv.reset()
    venv.step(np.zeros(2000, int))
    strayed = (venv.places[:, 1] < 0.2).mean()
    assert strayed == pytest.approx(0.075, abs=0.02)  # a quarter of the random moves go up as well


def swing(venv, steps=2000):
    """Push along the velocity; the heuristic's discounted return, and the steps it took."""
    rows = venv.reset()
    total, discount = 0.0, 1.0
    for step in range(1, steps + 1):
        rows, rewards, dones, infos = venv.step([2 if rows[0][1] >= 0 else 0])
        total += discount * hints(infos)[0]
        discount *= 0.99
        if dones[0]:
            return total, step, rewards[0]
    return total, steps, 0.0


def test_leaving_the_valley_pays_less_than_swinging_in_it_for_ever():
    totals, lengths = [], []
    for seed in range(10):
        total, steps, reward = swing(SparseMountainCarVecEnv(Request(1, seed=seed, report=CHANNELS)))
        assert reward == 1.0
        totals.append(total)
        lengths.append(steps)
    assert min(lengths) >= 105
    assert max(lengths) <= 130
    assert 60 < np.mean(totals) < 80  # of 100 that are there for staying


@pytest.mark.parametrize(("derivative", "least", "most"), [(0.5, 500, 500), (0.1, 230, 380), (0.05, 50, 95)])
def test_the_controller_balances_as_long_as_the_paper_s(derivative, least, most):
    venv = AdvisedCartPoleVecEnv(Request(100, seed=1, report=CHANNELS), derivative=derivative)
    venv.reset()
    lengths, running = np.zeros(100), np.ones(100, bool)
    for _ in range(500):
        _, rewards, dones, infos = venv.step(venv.advice())
        lengths += running * rewards
        assert (hints(infos) == np.where(dones, 0.0, 5.0)).all()
        running &= ~dones
    assert least <= lengths.mean() <= most


def test_bad_advice_pays_for_doing_the_opposite():
    venv = AdvisedCartPoleVecEnv(Request(8, report=CHANNELS), heuristic="bad")
    venv.reset()
    assert (hints(venv.step(venv.advice())[3]) == -5.0).all()
    assert (hints(venv.step(1 - venv.advice())[3]) == 1.0).all()


@pytest.mark.parametrize("env_id", ["SparseSquare-v0", "SparseMountainCar-v0", "AdvisedCartPole-v0"])
def test_a_heuristic_that_does_not_exist_is_refused(env_id):
    with pytest.raises(ValueError, match="heuristic='god'"):
        envs.make_vec(env_id, 1, heuristic="god")
