"""Soft value iteration against closed forms, and what policies are worth against played paths."""

from __future__ import annotations

import gymnasium
import numpy as np
import pytest

from envs.classic.code_grid import HORIZON, code_grid, code_grid_noisy
from foundation.soft_values import soft_discounted, soft_finite, worth
from foundation.tabular_mdp import TabularMDP, best_return, solve, table_of

SEEDS = range(20)


def random_mdp(seed, gamma=0.9, absorbing=True):
    random = np.random.default_rng(seed)
    states, actions = random.integers(2, 7), random.integers(2, 5)
    transitions = random.dirichlet(np.full(states, 0.5), (states, actions))
    rewards = random.normal(size=(states, actions))
    available = random.random((states, actions)) < 0.7
    available[np.arange(states), random.integers(actions, size=states)] = True
    if absorbing:
        transitions[-1], rewards[-1] = np.eye(states)[-1], 0.0
    start = random.dirichlet(np.ones(states))
    return TabularMDP(transitions, rewards, gamma, start, (states - 1,) if absorbing else (), (), available)


def paths(mdp, horizon):
    """Every path of available actions of a deterministic process: (states, actions, return)."""
    (first,) = np.flatnonzero(mdp.start)
    open_, ended = [((int(first),), (), 0.0)], []
    for _ in range(horizon):
        longer = []
        for states, actions, paid in open_:
            for action in np.flatnonzero(mdp.available[states[-1]]).tolist():
                following = int(mdp.transitions[states[-1], action].argmax())
                path = ((*states, following), (*actions, action), paid + mdp.rewards[states[-1], action])
                (ended if following in mdp.absorbing else longer).append(path)
        open_ = longer
    return ended + open_


@pytest.mark.parametrize("alpha", [0.05, 0.3, 1.0, 30.0])
def test_a_path_of_a_deterministic_world_is_as_likely_as_its_exponential_return(alpha):
    mdp = code_grid()
    soft, all_paths = soft_finite(mdp, HORIZON, alpha), paths(mdp, HORIZON)
    played = [
        np.prod(
            [soft.at(state, step)[action] for step, (state, action) in enumerate(zip(states, actions, strict=False))]
        )
        for states, actions, _ in all_paths
    ]
    returns = np.array([paid for _, _, paid in all_paths])
    weights = np.exp(returns / alpha)
    expected = weights / weights.sum()
    np.testing.assert_allclose(played, expected, rtol=1e-9)
    assert soft.values[0, 0] == pytest.approx(alpha * np.log(weights.sum()))
    found = worth(mdp, soft.probabilities)
    assert found.value == pytest.approx(expected @ returns)
    assert found.trajectory_entropy == pytest.approx(-(expected * np.log(expected)).sum())
    assert found.action_entropy == pytest.approx(found.trajectory_entropy)


@pytest.mark.parametrize("seed", SEEDS)
def test_soft_values_are_return_and_paid_entropy_of_their_policy_and_no_policy_has_more(seed):
    mdp, alpha, horizon = random_mdp(seed, gamma=1.0), 0.4, 5
    soft = soft_finite(mdp, horizon, alpha)
    found = worth(mdp, soft.probabilities)
    best = mdp.start @ soft.values[0]
    assert found.value + alpha * found.action_entropy == pytest.approx(best)
    random = np.random.default_rng(seed)
    other = random.dirichlet(np.ones(mdp.n_actions), (horizon, mdp.n_states)) * mdp.available
    other /= other.sum(axis=2, keepdims=True)
    rival = worth(mdp, other)
    assert rival.value + alpha * rival.action_entropy <= best + 1e-12
    assert not soft.probabilities[:, ~mdp.available].any()


@pytest.mark.parametrize("seed", SEEDS)
def test_the_limit_of_small_temperatures_is_a_best_policy_and_is_neared(seed):
    mdp = random_mdp(seed)
    limit = soft_finite(mdp, 6, 0.0)
    assert worth(mdp, limit.probabilities).value == pytest.approx(best_return(mdp, 6))
    np.testing.assert_allclose(limit.probabilities, soft_finite(mdp, 6, 1e-7).probabilities, atol=1e-3)
    np.testing.assert_allclose(soft_discounted(mdp, 0.0).values, solve(mdp).values, atol=1e-9)


def test_in_the_limit_every_shortest_path_is_as_likely_as_another():
    mdp = code_grid()
    found = worth(mdp, soft_finite(mdp, HORIZON, 0.0).probabilities)
    ways = sum(paid == 1.0 for _, _, paid in paths(mdp, HORIZON))
    assert found.value == pytest.approx(1.0)
    assert found.trajectory_entropy == pytest.approx(np.log(ways))


@pytest.mark.parametrize("seed", SEEDS)
def test_discounted_values_solve_the_soft_equations(seed):
    mdp, alpha = random_mdp(seed), 0.3
    soft = soft_discounted(mdp, alpha)
    going = np.setdiff1d(np.arange(mdp.n_states), mdp.absorbing)
    q = np.where(mdp.available, mdp.rewards + mdp.gamma * mdp.transitions @ soft.values, -np.inf)
    np.testing.assert_allclose(soft.values[going], alpha * np.log(np.exp(q / alpha).sum(axis=1))[going], atol=1e-9)
    np.testing.assert_allclose(soft.probabilities.sum(axis=1), 1.0)
    far = soft_finite(mdp, 300, alpha)
    np.testing.assert_allclose(far.probabilities[0], soft.probabilities, atol=1e-9)


@pytest.mark.parametrize(("log_beta", "published"), [(-4, 0.09), (-5, 0.32), (-6, 0.33)])
def test_the_noisy_grid_returns_what_the_code_of_mec_b_does(log_beta, published):
    mdp, _ = code_grid_noisy()
    # its rewards are discounted once more than ours, and so is its temperature
    soft = soft_discounted(mdp, np.exp(log_beta) / mdp.gamma, absorbing_entropy=True)
    assert mdp.gamma * worth(mdp, soft.probabilities).value == pytest.approx(published, abs=0.005)


@pytest.mark.parametrize("seed", range(5))
def test_a_policy_that_does_not_hang_on_time_is_worth_what_many_steps_come_to(seed):
    mdp = random_mdp(seed)
    policy = soft_discounted(mdp, 0.5).probabilities
    never, late = worth(mdp, policy), worth(mdp, policy, horizon=3000)
    for name in ("value", "action_entropy", "trajectory_entropy"):
        assert getattr(late, name) == pytest.approx(getattr(never, name), rel=1e-6)


@pytest.mark.parametrize("env_id", ["FrozenLake-v1", "CliffWalking-v1"])
def test_gymnasiums_tables_are_read_as_they_are_played(env_id):
    env = gymnasium.make(env_id)
    mdp = table_of(env, 0.97)
    assert mdp.absorbing == (env.observation_space.n,)
    policy = soft_discounted(mdp, 0.2).probabilities
    expected, random, returns = worth(mdp, policy, horizon=30).value, np.random.default_rng(0), []
    for episode in range(300):
        state, _ = env.reset(seed=episode)
        discount, total = 1.0, 0.0
        for _ in range(30):
            state, reward, terminated, _, _ = env.unwrapped.step(int(random.choice(mdp.n_actions, p=policy[state])))
            total, discount = total + discount * reward, discount * mdp.gamma
            if terminated:
                break
        returns.append(total)
    assert np.mean(returns) == pytest.approx(expected, abs=4 * np.std(returns) / np.sqrt(len(returns)) + 1e-9)


def test_what_has_no_table_or_a_broken_one_is_refused():
    env = gymnasium.make("FrozenLake-v1")
    env.unwrapped.P = {0: {0: [(0.5, 0, 0.0, False)]}}
    with pytest.raises(ValueError, match=r"sum to 0\.5"):
        table_of(Single(env), 0.9)
    env.unwrapped.P = {0: {0: [(1.0, 7, 0.0, False)]}}
    with pytest.raises(ValueError, match="P is no table"):
        table_of(Single(env), 0.9)
    with pytest.raises(ValueError, match="has no table P"):
        table_of(gymnasium.make("CartPole-v1"), 0.9)


class Single(gymnasium.Wrapper):
    """One state, whatever is inside."""

    def __init__(self, env):
        super().__init__(env)
        env.unwrapped.initial_state_distrib = np.ones(1)


def test_what_makes_no_sense_is_refused():
    mdp = random_mdp(0)
    with pytest.raises(ValueError, match="alpha=-1"):
        soft_finite(mdp, 3, -1)
    with pytest.raises(ValueError, match="horizon=0"):
        soft_finite(mdp, 0, 1.0)
    with pytest.raises(ValueError, match="steps 0 to 2"):
        soft_finite(mdp, 3, 1.0).at(0, 3)
    with pytest.raises(ValueError, match="grow without end"):
        soft_discounted(random_mdp(1, gamma=1.0, absorbing=False), 0.5)
    endless = random_mdp(1, absorbing=False)
    forever = soft_discounted(endless, 0.5).probabilities
    with pytest.raises(ValueError, match="never ends"):
        worth(endless, forever)
    with pytest.raises(ValueError, match="no distribution"):
        worth(mdp, np.zeros(mdp.rewards.shape))
    with pytest.raises(ValueError, match="is for 3 steps"):
        worth(mdp, soft_finite(mdp, 3, 1.0).probabilities, horizon=4)
