"""The exact trainer of EXPLORS: its steps are the paper's formulas, their ordering the paper's."""

from __future__ import annotations

import numpy as np
import pytest

from envs.classic.chain import chain
from envs.classic.room import room
from foundation.tabular_mdp import TabularMDP, best_return
from shaping.explors import DESIGNERS, Settings, train
from shaping.explors.compiled_training import (
    Memory,
    Rates,
    bonus_of,
    design,
    design_by_visits,
    learn_logits,
    play,
    rank,
    worth,
)
from shaping.explors.tabular import process

RATES = Rates(0.1, 0.1, 0.05, 0.01, 0.02, 1.0, 1.0, np.inf, 5, 2, 4, 3, 10)
KEPT, HORIZON, STATES, ACTIONS = 4, 6, 5, 3


def ring(seed=0):
    """Five states, the last absorbing; every action may lead anywhere."""
    random = np.random.default_rng(seed)
    transitions = random.dirichlet(np.ones(STATES), (STATES, ACTIONS))
    rewards = random.standard_normal((STATES, ACTIONS))
    transitions[-1], rewards[-1] = np.eye(STATES)[-1], 0.0
    return TabularMDP(transitions, rewards, 0.9, np.array([0.5, 0.5, 0, 0, 0]), (STATES - 1,))


def played(mdp, designer="orig", seed=0, designed=None, counts=None, episodes=KEPT):
    """A full memory, and the policy that filled it."""
    random = np.random.default_rng(seed)
    shape = (KEPT, HORIZON)
    memory = Memory(
        *(np.zeros(shape, np.int64) for _ in range(3)), *(np.zeros(shape) for _ in range(3)),
        np.zeros((*shape, ACTIONS)), np.zeros(KEPT, np.int64),
    )  # fmt: skip
    policy = random.dirichlet(np.ones(ACTIONS), STATES)
    designed = np.zeros((STATES, ACTIONS)) if designed is None else designed
    counts = np.zeros(STATES) if counts is None else counts
    for row in range(episodes):
        play(process(mdp), RATES, DESIGNERS.index(designer), designed, counts, policy, memory, row, random)
    return memory, policy, counts


def steps(memory):
    """Row, step, state and action of everything that was played."""
    for row in range(KEPT):
        for step in range(memory.lengths[row]):
            yield row, step, memory.states[row, step], memory.actions[row, step]


def test_the_worth_of_a_policy_is_its_expected_return_within_the_horizon():
    mdp = ring()
    policy = np.random.default_rng(1).dirichlet(np.ones(ACTIONS), STATES)
    values = np.zeros(STATES)
    for _ in range(7):
        values = (policy * (mdp.rewards + mdp.gamma * mdp.transitions @ values)).sum(axis=1)
    assert worth(process(mdp), policy, 7) == pytest.approx(mdp.start @ values, rel=1e-12)


def test_what_is_played_follows_the_process_and_returns_are_discounted_sums():
    mdp = ring()
    memory, _, _ = played(mdp)
    for row, step, state, action in steps(memory):
        following = memory.following[row, step]
        assert mdp.transitions[state, action, following] > 0
        rest = range(step, memory.lengths[row])
        rewards = [mdp.rewards[memory.states[row, t], memory.actions[row, t]] for t in rest]
        total = sum(mdp.gamma**k * reward for k, reward in enumerate(rewards))
        assert memory.task_returns[row, step] == pytest.approx(total)
        assert memory.paid_returns[row, step] == pytest.approx(total)
        ended = following == STATES - 1
        assert ended == (step == memory.lengths[row] - 1 and memory.lengths[row] < HORIZON) or step == HORIZON - 1


def test_the_bonus_falls_with_visits_is_none_at_the_end_and_counts_the_state_left():
    assert [bonus_of(n, 2.0, 0.5) for n in (0, 9)] == pytest.approx([0.5, 2.0 / 5.0])
    assert bonus_of(3, 0.0, 1.0) == 0.0
    mdp, counts = ring(), np.zeros(STATES)
    designed = np.random.default_rng(2).standard_normal((STATES, ACTIONS))
    memory, _, counts = played(mdp, "explors", designed=designed, counts=counts)
    seen = np.zeros(STATES)
    for row, step, state, action in steps(memory):
        following = memory.following[row, step]
        bonus = 0.0 if following == STATES - 1 else 1.0 / np.sqrt(1.0 + seen[following])
        expected = mdp.rewards[state, action] + designed[state, action] + bonus
        assert memory.paid[row, step] == pytest.approx(expected)
        seen[state] += 1
    np.testing.assert_array_equal(counts, seen)
    assert seen[-1] == 0


def test_a_step_of_the_design_is_the_papers_sum_and_the_critic_s_a_mean():
    memory, policy, _ = played(ring())
    random = np.random.default_rng(3)
    designed, values = random.standard_normal((STATES, ACTIONS)), random.standard_normal(STATES)
    expected, errors = designed.copy(), np.zeros(STATES)
    for row, step, state, action in steps(memory):
        surprise = memory.task_returns[row, step] - values[state]
        gradient = np.eye(ACTIONS)[action] - policy[state]
        expected[state] += RATES.design_rate * policy[state, action] * surprise * gradient
        errors[state] += surprise
    expected_values = values + RATES.critic_rate * errors / memory.lengths.sum()
    design(RATES, designed, values, memory, KEPT)
    np.testing.assert_allclose(designed, expected, rtol=1e-10)
    np.testing.assert_allclose(values, expected_values, rtol=1e-10)


def test_the_clip_holds_what_is_designed():
    memory, _, _ = played(ring())
    designed = np.zeros((STATES, ACTIONS))
    design(RATES._replace(clip=0.001), designed, np.zeros(STATES), memory, KEPT)
    assert np.abs(designed).max() == 0.001


def test_a_step_of_sors_descends_the_logistic_loss_of_its_pairs_without_overflow():
    mdp = ring()
    memory, _, _ = played(mdp)
    visits = np.zeros((KEPT, STATES, ACTIONS))
    for row, step, state, action in steps(memory):
        visits[row, state, action] += mdp.gamma**step
    returns = memory.task_returns[:, 0]
    pairs = [(i, j) for i in range(KEPT) for j in range(KEPT) if returns[i] > returns[j]]
    assert 0 < len(pairs) <= 10

    def loss(table):
        sums = (visits * table).sum(axis=(1, 2))
        return np.mean([np.log1p(np.exp(sums[j] - sums[i])) for i, j in pairs])

    designed = np.random.default_rng(4).standard_normal((STATES, ACTIONS))
    start, gradient = designed.copy(), np.zeros_like(designed)
    for place in np.ndindex(designed.shape):
        nudge = np.zeros_like(designed)
        nudge[place] = 1e-6
        gradient[place] = (loss(start + nudge) - loss(start - nudge)) / 2e-6
    rank(mdp.gamma, RATES, designed, memory, KEPT, np.random.default_rng(0))
    np.testing.assert_allclose(designed - start, -RATES.design_rate * gradient, atol=1e-9)
    huge = start * 1e6
    rank(mdp.gamma, RATES, huge, memory, KEPT, np.random.default_rng(0))
    assert np.isfinite(huge).all()


def test_sors_learns_nothing_of_episodes_that_are_equally_good():
    mdp = ring()
    memory, _, _ = played(TabularMDP(mdp.transitions, 0 * mdp.rewards, 0.9, mdp.start, mdp.absorbing))
    designed = np.ones((STATES, ACTIONS))
    rank(0.9, RATES, designed, memory, KEPT, np.random.default_rng(0))
    assert (designed == 1.0).all()


def test_a_step_of_reinforce_is_the_mean_of_its_gradients_with_the_policy_of_now():
    memory, _, _ = played(ring())
    random = np.random.default_rng(5)
    logits = random.standard_normal((STATES, ACTIONS))
    policy = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    expected, count = np.zeros_like(logits), 0
    for row, step, state, action in steps(memory):
        if row != 0:  # the newest three of four, the newest of which is in the last row
            expected[state] += memory.paid_returns[row, step] * (np.eye(ACTIONS)[action] - policy[state])
            count += 1
    expected = logits + RATES.learning_rate * expected / count
    learn_logits(RATES, logits, policy, memory, KEPT - 1, 3)
    np.testing.assert_allclose(logits, expected, rtol=1e-10)
    np.testing.assert_allclose(policy, np.exp(expected) / np.exp(expected).sum(axis=1, keepdims=True), rtol=1e-10)


def test_lirpg_moves_what_was_played_by_how_much_more_often_it_comes_by_itself():
    """Nothing comes by again here, so the pull is π(a|s) (Ḡ − V(s)) (1 − π(a|s)) in the mean."""
    cells = np.zeros((3, 2, 3))
    cells[0, 0, 1], cells[0, 1, 1], cells[1, :, 2], cells[2, :, 2] = 1, 1, 1, 1  # 0 -> 1 -> the end
    rewards = np.array([[1.0, 0.0], [0.0, 0.0], [0.0, 0.0]])
    mdp = TabularMDP(cells, rewards, 0.9, np.array([1.0, 0, 0]), (2,))
    memory = Memory(
        *(np.zeros((KEPT, 2), np.int64) for _ in range(3)), *(np.zeros((KEPT, 2)) for _ in range(3)),
        np.zeros((KEPT, 2, 2)), np.zeros(KEPT, np.int64),
    )  # fmt: skip
    policy, random, none = np.full((3, 2), 0.5), np.random.default_rng(0), np.zeros((3, 2))
    for row in range(KEPT):
        play(process(mdp), RATES, 0, none, np.zeros(3), policy, memory, row, random)
    moves = []
    for _ in range(4000):
        designed = np.zeros((3, 2))
        design_by_visits(process(mdp), RATES, designed, np.zeros(3), policy, memory, KEPT, 2, random)
        moves.append(designed)
    first = (memory.actions[:, 0] == 0).mean()  # of the kept episodes, those that were paid
    expected = RATES.design_rate * first * 0.5 * 1.0 * (1.0 - 0.5)
    assert np.mean(moves, axis=0)[0, 0] == pytest.approx(expected, rel=0.05)
    assert np.mean(moves, axis=0)[0, 1] == 0.0


@pytest.mark.parametrize("designer", DESIGNERS)
def test_evaluation_touches_nothing_and_a_seed_repeats(designer):
    runs = [
        train(chain(), designer, horizon=40, episodes=60, seed=3, settings=Settings(evaluate_every=every))
        for every in (1, 50, 50)
    ]
    for other in runs[1:]:
        np.testing.assert_array_equal(runs[0].policy, other.policy)
        np.testing.assert_array_equal(runs[0].designed, other.designed)
        np.testing.assert_array_equal(runs[0].counts, other.counts)
    assert runs[1].episodes.tolist() == [0, 50, 60]
    assert len(runs[0].returns) == 61


def test_with_a_distractor_only_bonuses_find_the_goal_and_the_design_finds_it_first():
    mdp = chain(distractor=True)
    best = best_return(mdp, 40)
    runs = {
        name: train(mdp, name, horizon=40, episodes=20_000, seed=0) for name in ("orig", "explob", "sors", "explors")
    }
    reached = {name: run.reached(0.8 * best) for name, run in runs.items()}
    assert reached["orig"] is None
    assert reached["sors"] is None
    assert reached["explors"] < 8_000
    assert reached["explob"] > 10_000
    assert runs["explors"].returns[-1] > 13.5


def test_a_designed_reward_can_lock_the_learner_onto_a_distractor_in_the_room():
    mdp = room("2022", distractor=True)
    assert train(mdp, "selfrs", horizon=30, episodes=10_000, seed=0).returns[-1] < 0.2


def test_q_learning_needs_no_design_on_the_plain_chain():
    training = train(chain(), "orig", "q_learning", horizon=40, episodes=10_000, seed=0)
    right = np.tile([0.025, 0.975], (62, 1))
    assert training.returns[-1] == pytest.approx(worth(process(chain()), right, 40), rel=1e-3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"designer": "exprd"}, "designer='exprd'"),
        ({"learner": "sarsa"}, "learner='sarsa'"),
        ({"horizon": 0}, "horizon=0"),
        ({"episodes": 0}, "episodes=0"),
    ],
)
def test_a_training_that_makes_no_sense_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        train(chain(), **{"designer": "orig", "horizon": 40, "episodes": 10, "seed": 0, **arguments})


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"design_every": 0}, "design_every=0"),
        ({"learn_every": 0}, "learn_every=0"),
        ({"kept": 0}, "kept=0"),
        ({"recent": 11}, "recent=11"),
        ({"bonus": -1.0}, "bonus=-1"),
        ({"most_bonus": 0.0}, "most_bonus=0"),
        ({"pairs": 0}, "pairs=0"),
        ({"exploration": 1.5}, "exploration=1.5"),
        ({"clip": 0.0}, "clip=0"),
        ({"evaluate_every": 0}, "evaluate_every=0"),
        ({"design_rate": float("nan")}, "design_rate=nan"),
    ],
)
def test_settings_out_of_bounds_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        Settings(**settings)
