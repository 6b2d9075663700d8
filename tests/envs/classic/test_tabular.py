"""The tabular worlds are those of the papers, and what is played follows the table."""

from __future__ import annotations

import gymnasium
import numpy as np
import pytest

import envs
from envs.classic.chain import chain
from envs.classic.line_key import line_key
from envs.classic.room import GATES, room
from foundation.tabular_mdp import best_return, evaluate, solve, table_of


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


@pytest.mark.parametrize("env_id", ["TabularRoom-v0", "TabularChain-v0", "TabularLineKey-v0", "CodeGrid-v0"])
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


@pytest.mark.parametrize("env_id", ["CodeGrid-v0", "CodeGridNoisy-v0", "TabularRoom-v0", "SourceCoding-v0"])
def test_the_table_that_a_world_tells_is_its_process(env_id):
    world = gymnasium.make(f"breadcrumb/{env_id}").unwrapped
    mdp = world.mdp
    read = table_of(world, mdp.gamma)
    going = np.setdiff1d(np.arange(mdp.n_states), mdp.absorbing)
    np.testing.assert_allclose(read.rewards[going], mdp.rewards[going], atol=1e-12)
    np.testing.assert_allclose(
        read.transitions[np.ix_(going, range(mdp.n_actions), going)], mdp.transitions[going][:, :, going]
    )
    assert best_return(read, 30) == pytest.approx(best_return(mdp, 30))


def test_on_the_noisy_grid_the_goal_pays_1_and_the_trap_takes_1_and_nothing_else_pays():
    venv = envs.make_vec("CodeGridNoisy-v0", 64, seed=0, report=["mdp"])
    venv.reset()
    goal, trap = venv.reset_infos[0]["mdp"].absorbing
    random, met = np.random.default_rng(0), set()
    venv.states[:] = 6  # beside the goal
    for _ in range(60):
        _, rewards, dones, infos = venv.step(random.integers(4, size=64))
        for reward, done, info in zip(rewards, dones, infos, strict=True):
            last = info.get("terminal_observation")
            assert reward == (1.0 if last == goal else -1.0 if last == trap else 0.0)
            met.add(int(last) if done and not info["TimeLimit.truncated"] else None)
    assert met >= {goal, trap}


@pytest.mark.parametrize(
    ("env_id", "arguments", "best", "limit"),
    [
        ("CodeGrid-v0", {}, 1.0, 8),
        ("MatrixGame-v0", {}, 4.0, 1),
        ("ReferentialChain-v0", {"length": 5}, 0.0, 5),
        ("SourceCoding-v0", {"costs": [1, 2.5], "length": 4}, 0.0, 4),
    ],
)
def test_a_special_case_ends_in_time_and_pays_at_best_what_it_says(env_id, arguments, best, limit):
    venv = envs.make_vec(env_id, 32, seed=0, report=["mdp"], **arguments)
    venv.reset()
    mdp = venv.reset_infos[0]["mdp"]
    assert best_return(mdp, limit) == best
    lengths, random = np.zeros(32, int), np.random.default_rng(0)
    for _ in range(3 * limit):
        lengths += 1
        _, _, dones, _ = venv.step(random.integers(mdp.n_actions, size=32))
        assert (lengths[dones] <= limit).all()
        lengths[dones] = 0
    assert (lengths < limit).all()


def test_a_masked_world_says_which_moves_it_has_and_who_makes_another_stays():
    venv = envs.make_vec("CodeGrid-v0", 1, seed=0)
    venv.reset()
    assert venv.env_method("action_masks")[0].tolist() == [False, True, True, False]
    assert gymnasium.make("breadcrumb/CodeGrid-v0").unwrapped.action_masks().shape == (4,)
    assert venv.step([0])[0].tolist() == [0]
    assert venv.step([1])[0].tolist() == [1]
    for wrong in ({"rewards": [1.0]}, {"rewards": [1.0, float("inf")]}):
        with pytest.raises(ValueError, match="rewards"):
            envs.make_vec("MatrixGame-v0", 1, **wrong)
    with pytest.raises(ValueError, match="costs=-1"):
        envs.make_vec("SourceCoding-v0", 1, costs=[-1.0])
