"""The compiled learners do what their equations say."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from envs.classic.room import room
from foundation.tabular_mdp import solve
from scripts.experiments.tabular_learners import Curve, q_learning, reinforce, softmax
from scripts.results.comparison import Row
from scripts.results.tables import table
from shaping.designed import exprd
from tests.shaping.worlds import corridor_table

MDP, SHORT = corridor_table(5), corridor_table(3)
"""Of equal actions Q-learning takes the lowest, left: only the short one is found out by chance."""


def test_q_learning_ends_at_the_best_policy_and_repeats_under_its_seed():
    curves = [q_learning(SHORT, SHORT.rewards, episodes=200, horizon=500, check=10, seed=1) for _ in range(2)]
    np.testing.assert_array_equal(curves[0].values, curves[1].values)
    assert curves[0].values[-1] == pytest.approx(SHORT.start @ solve(SHORT).values)
    assert curves[0].episodes.tolist() == list(range(10, 201, 10))
    other = q_learning(SHORT, SHORT.rewards, episodes=200, horizon=500, check=10, seed=2)
    assert other.values.shape == curves[0].values.shape


def test_q_learning_stops_once_it_is_good_enough():
    best = float(SHORT.start @ solve(SHORT).values)
    curve = q_learning(SHORT, SHORT.rewards, episodes=1000, horizon=500, check=5, seed=0, enough=0.9 * best)
    assert len(curve.values) < 200
    assert curve.first(0.9 * best) == curve.episodes[-1]
    assert curve.first(2 * best) is None


def test_a_learner_is_fed_the_reward_it_is_given_and_judged_by_the_task():
    away = np.zeros_like(MDP.rewards)
    away[:4] = [1.0, -1.0]
    curve = q_learning(MDP, away, episodes=100, horizon=20, check=50, seed=0)
    assert curve.values[-1] == 0.0


def test_reinforce_asks_for_a_design_of_the_policy_as_it_is_then():
    seen = []

    def design(policy):
        seen.append(policy)
        return 50.0 * MDP.rewards

    curve = reinforce(MDP, design, episodes=400, horizon=30, redesign=100, check=50, seed=0)
    assert len(seen) == 4
    np.testing.assert_allclose(seen[0], 0.5)
    assert (seen[3][:4, 1] > seen[1][:4, 1]).all()
    assert curve.episodes.tolist() == list(range(50, 401, 50))
    assert curve.values[-1] > curve.values[0]


def test_reinforce_moves_along_the_policy_gradient():
    """One step to the end with horizon 1 from cell 3: the mean of Ĝ (e_a − π) over episodes."""
    mdp = replace(MDP, start=np.eye(5)[3])
    policies = []

    def design(policy):
        policies.append(policy)
        return mdp.rewards

    reinforce(mdp, design, episodes=20_000, horizon=1, redesign=10_000, check=10_000, seed=0)
    moved = np.log(policies[1][3, 1] / policies[1][3, 0])
    weights = 0.0
    for _ in range(5_000):  # an update every two episodes, expected gradient π(1 − π) of the logit's two halves
        right = softmax(np.array([[-weights / 2, weights / 2]]))[0, 1]
        weights += 0.01 * 2 * right * (1 - right)
    assert moved == pytest.approx(weights, rel=0.05)


def test_the_room_is_learned_in_a_tenth_of_the_episodes_with_a_reward_in_every_state():
    mdp = room("2021")
    enough = 0.9 * float(mdp.start @ solve(mdp).values)

    def median(rewards):
        taken = [
            q_learning(mdp, rewards, episodes=2**15, horizon=50, check=64, seed=seed, enough=enough)
            for seed in range(300, 305)
        ]
        return np.median([curve.first(enough) or np.inf for curve in taken])

    assert 10 * median(exprd(mdp, None).rewards) < median(mdp.rewards)
    assert 3 * median(exprd(mdp, 1).rewards) < median(mdp.rewards)


def test_tables_write_informativeness_finely_and_when_something_was_reached():
    rows = [
        Row("a", seed, {}, {"informativeness": -0.155733, "episodes_to_90": reached})
        for seed, reached in ((0, 64.0), (1, None), (2, 128.0))
    ]
    assert "| a | 3 | -0.1557 | 96 (2 of 3) |" in table(rows)
    assert "never (0 of 1)" in table(rows[1:2])
    assert Curve(np.array([1]), np.array([0.5])).first(0.5) == 1.0
