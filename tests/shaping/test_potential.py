"""Potential-based shaping has analytic answers: returns telescope, and best policies stay best."""

from __future__ import annotations

import numpy as np
import pytest

from shaping import ShapedVecEnv, make_term
from tests.shaping.worlds import corridors

GAMMA = 0.9


def potential_rewards(actions, *, n=1, truncation="auto", scale=-1.0, bootstraps=True, **arguments):
    term = make_term("potential", potential="distance", scale=scale, truncation=truncation)
    venv = ShapedVecEnv(corridors(n, **arguments), {"potential": term}, gamma=GAMMA, bootstraps=bootstraps)
    venv.reset()
    rewards = []
    for action in actions:
        _, _, dones, infos = venv.step(np.full(n, action))
        rewards.append(infos[0]["reward_terms"]["potential"])
    assert dones.all()
    return np.array(rewards)


def discounted(rewards):
    return float(np.sum(rewards * GAMMA ** np.arange(len(rewards))))


def test_shaping_telescopes_to_minus_the_first_potential_after_termination():
    assert discounted(potential_rewards([1, 1, 0, 1, 1], length=4)) == pytest.approx(1.0)  # Φ(s0) = -1


def test_shaping_keeps_the_last_potential_after_truncation():
    rewards = potential_rewards([1, 0, 1], length=4, limit=3)  # ends in cell 1: Φ = -2/3
    assert discounted(rewards) == pytest.approx(GAMMA**3 * (-2 / 3) + 1.0)


@pytest.mark.parametrize(("truncation", "bootstraps"), [("zero", True), ("zero", False), ("auto", False)])
def test_the_last_potential_is_zero_after_truncation_for_an_agent_that_does_not_bootstrap(truncation, bootstraps):
    rewards = potential_rewards([1, 0, 1], length=4, limit=3, truncation=truncation, bootstraps=bootstraps)
    assert discounted(rewards) == pytest.approx(1.0)


def test_keep_keeps_whatever_the_agent_does():
    rewards = potential_rewards([1, 0, 1], length=4, limit=3, truncation="keep", bootstraps=False)
    assert discounted(rewards) == pytest.approx(GAMMA**3 * (-2 / 3) + 1.0)


def test_termination_wins_when_the_time_limit_falls_on_the_same_step():
    assert discounted(potential_rewards([1, 1, 1], length=4, limit=3)) == pytest.approx(1.0)


def test_the_next_episode_starts_from_its_own_first_potential():
    twice = potential_rewards([1, 1, 1, 1, 1, 1], length=4)
    np.testing.assert_allclose(twice[:3], twice[3:])


def test_the_best_policy_stays_best_on_a_tabular_problem():
    rng = np.random.default_rng(0)
    n_states, n_actions = 6, 3
    transition = rng.dirichlet(np.ones(n_states), size=(n_states, n_actions))
    reward = rng.normal(size=(n_states, n_actions))
    potential = 5 * rng.normal(size=n_states)
    shaping = GAMMA * transition @ potential - potential[:, None]

    def q_values(rewards):
        q = np.zeros((n_states, n_actions))
        for _ in range(600):
            q = rewards + GAMMA * transition @ q.max(axis=1)
        return q

    plain, shaped = q_values(reward), q_values(reward + shaping)
    np.testing.assert_allclose(shaped, plain - potential[:, None], atol=1e-8)
    assert (plain.argmax(1) == shaped.argmax(1)).all()


def test_potentials_from_observations_and_functions_agree_with_the_info_entry():
    def run(potential, scale):
        term = make_term("potential", potential=potential, scale=scale)
        venv = ShapedVecEnv(corridors(2, length=4, dictionary=True), {"potential": term}, gamma=1.0)
        venv.reset()
        return [venv.step(np.array([1, 0]))[3][0]["reward_terms"]["potential"] for _ in range(2)]

    expected = run("distance", -1.0)
    assert run("observation:where", 1.0) == pytest.approx(expected)
    assert run(lambda observations, infos: observations["where"][:, 0], 1.0) == pytest.approx(expected)
    assert run("tests.shaping.test_potential:where", 1.0) == pytest.approx(expected)


def where(observations, infos):
    return observations["where"][:, 0]


@pytest.mark.parametrize(
    ("potential", "message"),
    [("observation:wher", "has no entry 'wher'"), ("no_such_module:f", "cannot be found"), ("", "potential is empty")],
)
def test_a_potential_that_cannot_be_found_is_refused_before_training(potential, message):
    with pytest.raises(ValueError, match=message):
        ShapedVecEnv(corridors(1, dictionary=True), {"p": make_term("potential", potential=potential)}, gamma=1.0)


def test_an_entry_that_the_environment_does_not_report_is_named():
    venv = ShapedVecEnv(corridors(1), {"p": make_term("potential", potential="stairs_distance")}, gamma=1.0)
    with pytest.raises(ValueError, match="stairs_distance"):
        venv.reset()


@pytest.mark.parametrize("gamma", [-0.1, 1.1, float("nan")])
def test_an_impossible_discount_is_refused(gamma):
    with pytest.raises(ValueError, match="gamma"):
        ShapedVecEnv(corridors(1), {}, gamma=gamma)
