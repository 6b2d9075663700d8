"""Operators, informativeness and invariance: closed forms, loops, published numbers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from envs.classic.room import room
from foundation.tabular_mdp import TabularMDP, evaluate, solve
from shaping.designed import Measure, informativeness, invariant, landmarks, pbrs
from shaping.designed.operators import advantages, target, visits
from tests.shaping.worlds import corridor_table

ROOM = room("2021")
MARKS = (9, 15, 19, 37, 32)


def random_mdp(seed, states=5, actions=3, gamma=0.8):
    random = np.random.default_rng(seed)
    transitions = random.dirichlet(np.ones(states), (states, actions))
    transitions[-1] = np.eye(states)[-1]
    rewards = random.normal(size=(states, actions))
    rewards[-1] = 0.0
    return TabularMDP(transitions, rewards, gamma, np.eye(states)[0], (states - 1,))


@pytest.mark.parametrize("horizon", [0, 1, 2, 7, None])
def test_the_operator_gives_what_counting_rewards_step_by_step_gives(horizon):
    mdp = random_mdp(0)
    policy = np.array([2, 0, 1, 1, 0])
    rewards = np.random.default_rng(1).normal(size=mdp.rewards.shape)
    rewards[-1] = 0.0
    values = np.zeros(5)
    action_values = np.zeros(mdp.rewards.shape)
    for _ in range(400 if horizon is None else horizon):
        action_values = rewards + mdp.gamma * mdp.transitions @ values
        values = action_values[np.arange(5), policy]
    expected = action_values[np.arange(5), policy][:, None] - action_values
    ahead = (advantages(mdp, policy, horizon) @ rewards.ravel()).reshape(expected.shape)
    np.testing.assert_allclose(ahead, expected, atol=1e-10)


def test_all_rewards_of_the_task_itself_are_its_losses():
    meant = target(ROOM)
    ahead = (advantages(ROOM, meant.policy, None) @ ROOM.rewards.ravel()).reshape(ROOM.rewards.shape)
    np.testing.assert_allclose(np.where(meant.worse, ahead, 0.0), meant.losses, atol=1e-9)
    worse = meant.worse.any(axis=1)
    assert (meant.gaps[worse] > 0).all()
    assert not meant.gaps[~worse].any()


@pytest.mark.parametrize(
    ("rewards", "value"),
    [
        (ROOM.rewards, -0.155733),
        (landmarks(ROOM, MARKS), -0.112189),
        (pbrs(ROOM, solve(ROOM, landmarks(ROOM, MARKS)).values), -0.079708),
        (pbrs(ROOM, solve(ROOM).values), 0.0),
    ],
    ids=["task", "landmarks", "potential of the landmarks", "best potential"],
)
def test_informativeness_in_the_room_is_the_published_code_s(rewards, value):
    assert informativeness(ROOM, rewards) == pytest.approx(value, abs=1e-6)


def test_informativeness_of_a_corridor_is_what_a_person_works_out():
    """Cells 0 to 3, 3 absorbs, γ = .9: V = .81, .9, 1 and left from 0 stays; δ = 1 − .81 etc."""
    mdp = corridor_table(4)
    losses = np.array([0.81 - 0.9 * 0.81, 0.9 - 0.9 * 0.81, 1.0 - 0.9 * 0.9])
    np.testing.assert_allclose(target(mdp).gaps[:3], losses)
    # One reward ahead, only cell 2 sees any: its margin is 1 − δ, the others' are −δ.
    one = Measure((1,), "h")
    assert informativeness(mdp, mdp.rewards, one) == pytest.approx(-losses[:2].sum() / 4)
    linear = Measure((1,), "h", link="linear")
    assert informativeness(mdp, mdp.rewards, linear) == pytest.approx(-(losses[:2].sum() + losses[2] - 1.0) / 4)
    exponential = Measure((1,), "h", link="exp")
    expected = -(np.exp(losses[:2]).sum() + np.exp(losses[2] - 1.0)) / 4
    assert informativeness(mdp, mdp.rewards, exponential) == pytest.approx(expected)
    # With h + 1 rewards, horizon 0 counts the one.
    assert informativeness(mdp, mdp.rewards, Measure((0,))) == pytest.approx(-losses[:2].sum() / 4)


def test_summing_over_actions_and_their_own_gaps_loses_no_less_than_the_worst():
    worst = informativeness(ROOM, ROOM.rewards)
    assert informativeness(ROOM, ROOM.rewards, Measure(over="sum")) < worst
    assert informativeness(ROOM, ROOM.rewards, Measure(gap="action")) < worst


def test_potentials_change_nothing_that_is_best_and_landmarks_ten_states():
    random = np.random.default_rng(0)
    for _ in range(3):
        assert invariant(ROOM, pbrs(ROOM, random.normal(size=ROOM.n_states))).holds
    changed = invariant(ROOM, landmarks(ROOM, MARKS))
    assert len(changed.changed) == 10
    assert "10 states change what is best" in str(changed)


def test_what_following_a_wrong_reward_costs_is_the_difference_of_exact_values():
    rewards = landmarks(ROOM, MARKS)
    follows = np.eye(4)[solve(ROOM, rewards).policy]
    lost = solve(ROOM).values[8] - evaluate(ROOM, follows)[8]
    assert lost > 1.0
    assert invariant(ROOM, rewards).start_loss == pytest.approx(lost)


def test_a_reward_that_ties_a_worse_action_with_the_best_does_not_count_as_invariant():
    mdp = corridor_table(4)
    nothing = invariant(mdp, np.zeros_like(mdp.rewards))
    assert nothing.changed == (0, 1, 2)
    assert nothing.losses == pytest.approx((0.081, 0.171, 0.19))


def test_visits_are_discounted_and_leave_out_where_nothing_can_be_done():
    mdp = corridor_table(4)
    right = np.tile([0.0, 1.0], (4, 1))
    np.testing.assert_allclose(visits(mdp, right), np.array([1.0, 0.9, 0.81, 0.0]) / 2.71)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Measure(()), "horizons is empty"),
        (lambda: Measure((0,), "h"), "horizons=0"),
        (lambda: Measure(link="hing"), "Did you mean hinge"),
        (lambda: informativeness(ROOM, np.zeros((3, 4))), r"rewards are \(3, 4\)"),
        (lambda: invariant(ROOM, np.full((50, 4), np.nan)), "finite"),
        (lambda: target(ROOM, np.zeros(50, int)), "give a best policy"),
        (lambda: target(ROOM, np.zeros(49, int)), "expected an action from 0 to 3 for each of 50 states"),
        (lambda: visits(ROOM, np.full((50, 4), 0.3)), "each with the sum 1"),
        (lambda: target(replace(corridor_table(4), gamma=1.0)), "never ends"),
        (lambda: advantages(replace(corridor_table(4), gamma=1.0), np.zeros(4, int), None), "never ends"),
        (lambda: pbrs(ROOM, np.zeros(3)), "each of 50 states"),
        (lambda: landmarks(ROOM, [49]), "landmark 49"),
    ],
)
def test_what_makes_no_sense_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
