"""EXPADARD's objective is the one of the paper, and its rewards are the best for it."""

from __future__ import annotations

import numpy as np
import pytest

from envs.classic.room import room
from foundation.tabular_mdp import evaluate, solve
from shaping.designed import Expadard, Infeasible, expadard, invariance_only, structure
from shaping.designed.operators import visits
from shaping.designed.structures import groups
from tests.shaping.worlds import corridor_table

ROOM = room("2024")


def policies(shape, seed=0):
    random = np.random.default_rng(seed)
    return [np.full(shape, 1 / shape[1]), random.dirichlet(np.ones(shape[1]), shape[0])]


def written_out(mdp, policy, rewards, epsilon=0.4):
    """The sum of the paper, term by term."""
    solution = solve(mdp)
    teacher = np.full(mdp.rewards.shape, epsilon / mdp.n_actions)
    teacher[np.arange(mdp.n_states), solution.policy] += 1 - epsilon
    of_teacher, of_learner = visits(mdp, teacher), visits(mdp, policy)
    ahead = solution.action_values - solution.values[:, None]
    total = 0.0
    for s in range(mdp.n_states):
        for a in range(mdp.n_actions):
            better = ahead[s, a] - policy[s] @ ahead[s]
            paid = rewards[s, a] - policy[s] @ rewards[s]
            total += of_teacher[s] * of_learner[s] * policy[s, a] ** 2 * better * paid
    return total


def test_the_objective_is_the_sum_of_the_paper():
    for policy in policies(ROOM.rewards.shape):
        result = expadard(ROOM, policy, structure("room_blocks", ROOM))
        assert result.objective == pytest.approx(written_out(ROOM, policy, result.rewards), abs=1e-9)
        assert result.invariance.holds


def test_no_other_invariant_reward_of_the_structure_has_a_higher_objective():
    features = structure("room_blocks", ROOM)
    for policy in policies(ROOM.rewards.shape, seed=1):
        best = expadard(ROOM, policy, features).objective
        others = [invariance_only(ROOM, features).rewards]
        others += [expadard(ROOM, other, features).rewards for other in policies(ROOM.rewards.shape, seed=2)]
        for rewards in others:
            assert written_out(ROOM, policy, rewards) <= best + 1e-9
        assert best <= expadard(ROOM, policy).objective + 1e-9, "a structure costs"


def test_a_step_of_policy_gradient_on_the_design_improves_the_learner_more_than_one_on_the_task():
    policy = np.full(ROOM.rewards.shape, 0.25)
    value = float(ROOM.start @ evaluate(ROOM, policy))

    def improved(rewards):
        """One step of a softmax along the exact policy gradient of R, one step ahead."""
        centred = rewards - (policy * rewards).sum(axis=1, keepdims=True)
        logits = np.log(policy) + 1e-3 * visits(ROOM, policy)[:, None] * policy * centred
        after = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        return float(ROOM.start @ evaluate(ROOM, after)) - value

    assert improved(expadard(ROOM, policy).rewards) > 10 * improved(ROOM.rewards)


def test_a_learner_that_is_there_already_leaves_nothing_to_gain():
    best = np.eye(4)[solve(ROOM).policy]
    assert np.abs(Expadard(ROOM).gain(best)).max() < 1e-12


def test_what_makes_no_sense_is_refused():
    mdp = corridor_table(5)
    with pytest.raises(ValueError, match="each with the sum 1"):
        expadard(mdp, np.full((5, 2), 0.4))
    with pytest.raises(ValueError, match="epsilon=2"):
        Expadard(mdp, epsilon=2.0)
    with pytest.raises(Infeasible, match="structure=each"):
        expadard(mdp, np.full((5, 2), 0.5), groups(mdp, [(0,)]))
