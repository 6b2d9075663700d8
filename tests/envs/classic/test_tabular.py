"""The tabular worlds are those of the papers, and what is played follows the table."""

from __future__ import annotations

import numpy as np
import pytest

import envs
from envs.classic.chain import chain
from envs.classic.line_key import line_key
from envs.classic.room import GATES, room
from foundation.tabular_mdp import best_return, evaluate, solve


@pytest.mark.parametrize(
    ("mdp", "state", "value"),
    [(room("2021"), 8, 5.902160), (room("2024"), 8, 5.812795), (line_key(), 5, 4.204691)],
    ids=["room 2021", "room 2024", "line_key"],
)
def test_the_value_of_the_start_is_the_published_code_s(mdp, state, value):
    assert mdp.start[state] == 1.0
    assert solve(mdp).values[state] == pytest.approx(value, abs=1e-6)


@pytest.mark.parametrize(
    ("mdp", "horizon", "value"),
    [(room("2022"), 30, 14.597005), (chain(), 40, 13.703792), (chain(distractor=True), 40, 13.703792)],
    ids=["room 2022", "chain", "chain with a distractor"],
)
def test_the_best_return_of_an_episode_is_the_published_code_s(mdp, horizon, value):
    assert best_return(mdp, horizon) == pytest.approx(value, abs=1e-6)


def test_who_farms_the_distractor_earns_next_to_nothing():
    mdp = chain(distractor=True)
    left_and_back = np.tile([1.0, 0.0], (mdp.n_states, 1))
    left_and_back[:25] = [0.0, 1.0]
    values = np.zeros(mdp.n_states)
    for _ in range(40):
        values = (left_and_back * (mdp.rewards + mdp.gamma * mdp.transitions @ values)).sum(axis=1)
    assert mdp.start @ values == pytest.approx(0.0938, abs=2e-4)


def test_a_policy_s_value_satisfies_bellman_s_equation_and_none_beats_the_best():
    mdp = room("2024")
    policy = np.random.default_rng(0).dirichlet(np.ones(4), mdp.n_states)
    values = evaluate(mdp, policy)
    np.testing.assert_allclose((policy * (mdp.rewards + mdp.gamma * mdp.transitions @ values)).sum(axis=1), values)
    assert (solve(mdp).values >= values - 1e-12).all()


def test_doors_are_where_the_authors_say():
    mdp = room("2022")
    leads = mdp.transitions.max(axis=1) > 0
    for gate in GATES:
        assert leads[gate].sum() >= 3
    assert leads[9, 10]
    assert not leads[2, 3]


@pytest.mark.parametrize("env_id", ["TabularRoom-v0", "TabularChain-v0", "TabularLineKey-v0"])
def test_what_is_played_follows_the_table(env_id):
    venv = envs.make_vec(env_id, 64, seed=2, report=["mdp"])
    states, random = venv.reset(), np.random.default_rng(0)
    mdp = venv.reset_infos[0]["mdp"]
    counts, expected = np.zeros(mdp.transitions.shape), np.zeros(mdp.transitions.shape)
    for _ in range(600):
        actions = random.integers(mdp.n_actions, size=64)
        following, rewards, dones, infos = venv.step(actions)
        true = [
            info["terminal_observation"] if done else row
            for info, done, row in zip(infos, dones, following, strict=True)
        ]
        np.testing.assert_allclose(rewards, mdp.rewards[states, actions], atol=1e-6)
        for row, (info, done) in enumerate(zip(infos, dones, strict=True)):
            assert info["mdp"] is mdp
            if done:
                assert (true[row] in mdp.absorbing) != info["TimeLimit.truncated"]
        np.add.at(counts, (states, actions, np.array(true)), 1)
        np.add.at(expected, (states, actions), mdp.transitions[states, actions])
        states = following
    spread = np.sqrt(np.maximum(expected, 1.0))
    assert (np.abs(counts - expected) < 5 * spread).all()
    assert not counts[mdp.transitions == 0].any()
