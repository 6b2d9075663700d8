"""The terms explors and sors: the exact trainer's steps, whatever episodes come in."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from gymnasium import spaces

from envs.classic.chain import chain
from foundation.plain_state import arrays, plain
from shaping import RewardTermError, Rollout, Setting, Transitions, make_term
from shaping.explors.compiled_training import Memory, Rates, design, play, rank
from shaping.explors.functions import LearnedFunction
from shaping.explors.played_episodes import LONGEST_ROLLOUT, PlayedEpisodes
from shaping.explors.tabular import process
from shaping.state_counts import Visits

GAMMA, HORIZON, KEPT = 0.99, 40, 4
MDP = chain(distractor=True)
RATES = Rates(0.1, 0.1, 0.05, 0.01, 0.01, 1.0, 1.0, np.inf, KEPT, 2, KEPT, KEPT, 10)
TABLE, ACTIONS = spaces.Discrete(MDP.n_states), spaces.Discrete(2)


class Fixed:
    """A learner that acts by a table."""

    def __init__(self, policy):
        self.policy = policy

    def probabilities(self, observations):
        return self.policy[observations.reshape(-1)]


def bound(name, space=TABLE, actions=ACTIONS, n_envs=1, learner=None, **arguments):
    term = make_term(name, **arguments)
    term.bind(Setting(n_envs, space, actions, gamma=GAMMA, seed=0))
    if learner is not None:
        term.meet(learner)
    return term


def played(seed=0):
    """Episodes on the chain as the exact trainer plays them, and their policy: to the left."""
    random, shape = np.random.default_rng(seed), (KEPT, HORIZON)
    memory = Memory(
        *(np.zeros(shape, np.int64) for _ in range(3)), *(np.zeros(shape) for _ in range(3)),
        np.zeros((*shape, 2)), np.zeros(KEPT, np.int64),
    )  # fmt: skip
    policy = np.tile([0.85, 0.15], (MDP.n_states, 1))
    for row in range(KEPT):
        play(process(MDP), RATES, 0, np.zeros(MDP.rewards.shape), np.zeros(62), policy, memory, row, random)
    return memory, policy


def step(states, actions, rewards, following, terminated=None, truncated=None):
    n = len(actions)
    never = np.zeros(n, bool)
    return Transitions(
        np.asarray(states),
        np.asarray(actions),
        np.asarray(rewards, float),
        np.asarray(following),
        never if terminated is None else np.asarray(terminated),
        never if truncated is None else np.asarray(truncated),
        [{}] * n,
    )


def fed(term, memory, rollout_length):
    """Gives a term the episodes of a memory in rollouts of this length."""
    batches = []
    for row in range(KEPT):
        length = memory.lengths[row]
        term.reset(memory.states[row, :1], [{}], np.ones(1, bool))
        for t in range(length):
            state, action = memory.states[row, t], memory.actions[row, t]
            over = t == length - 1
            batch = step([state], [action], [MDP.rewards[state, action]], [memory.following[row, t]], [False], [over])
            term(batch)
            batches.append(batch)
            if len(batches) == rollout_length:
                yield term.update(Rollout(batches))
                batches = []
    yield term.update(Rollout(batches)) if batches else {}


def table(function):
    return function(np.eye(MDP.n_states, dtype=np.float32))


@pytest.mark.parametrize("rollout_length", [7, 1000])
def test_on_a_table_the_term_takes_the_steps_of_the_exact_trainer(rollout_length):
    memory, policy = played()
    term = bound("explors", every=KEPT, kept=KEPT, learner=Fixed(policy))
    metrics = list(fed(term, memory, rollout_length))[-1]
    designed, values = np.zeros(MDP.rewards.shape), np.zeros(MDP.n_states)
    design(RATES, designed, values, memory, KEPT)
    assert np.abs(designed).max() > 1e-6
    np.testing.assert_allclose(table(term._designed), designed, rtol=1e-4, atol=1e-10)
    np.testing.assert_allclose(table(term._critic)[:, 0], values, rtol=1e-4, atol=1e-10)
    assert metrics["value_error"] == pytest.approx(
        np.sqrt(np.mean(np.concatenate([memory.task_returns[row, : memory.lengths[row]] for row in range(KEPT)]) ** 2))
    )


def test_on_a_table_sors_takes_the_steps_of_the_exact_trainer():
    memory, _ = played()
    assert len(set(memory.task_returns[:, 0])) > 1
    term = bound("sors", every=KEPT, kept=KEPT)
    metrics = list(fed(term, memory, 1000))[-1]
    designed = np.zeros(MDP.rewards.shape)
    rank(GAMMA, RATES, designed, memory, KEPT, np.random.default_rng(0))
    np.testing.assert_allclose(table(term._designed), designed, rtol=1e-4, atol=1e-9)
    assert metrics["loss"] == pytest.approx(np.log(2.0))


def test_sors_comes_to_rank_two_kinds_of_episodes_and_says_how_often_it_is_right():
    term = bound("sors", space=spaces.Box(0, 1, (2,)), every=2, kept=6, function="network", bound=1.0)
    for _ in range(300):
        term.reset(np.zeros((1, 2)), [{}], np.ones(1, bool))
        batches = []
        for action in (0, 1):
            batch = step(np.zeros((1, 2)), [action], [float(action)], np.zeros((1, 2)), [True])
            term.reset(np.zeros((1, 2)), [{}], np.ones(1, bool))
            term(batch)
            batches.append(batch)
        metrics = term.update(Rollout(batches))
    assert metrics["accuracy"] == 1.0
    ways = (
        term(step(np.zeros((1, 2)), [0], [0.0], np.zeros((1, 2)))),
        term(step(np.zeros((1, 2)), [1], [1.0], np.zeros((1, 2)))),
    )
    assert ways[1] - ways[0] > 0.3


def test_without_pairs_that_differ_sors_learns_nothing():
    term = bound("sors", every=2, kept=4)
    for row in range(2):
        term.reset(np.zeros(1), [{}], np.ones(1, bool))
        batch = step([row], [0], [1.0], [3], [True])
        term(batch)
        assert term.update(Rollout([batch]))["designed"] == 0.0
    assert not table(term._designed).any()


def test_the_bonus_counts_states_that_are_left_and_ends_with_the_task():
    term = bound("explors", n_envs=3, pays="bonus", bonus=2.0, most_bonus=0.5)
    batch = step([4, 4, 5], [0, 0, 0], [0, 0, 0], [5, 4, 6], [False, False, True])
    assert term(batch).tolist() == pytest.approx([0.5, 0.5, 0.0])
    again = term(step([4, 4, 5], [0, 0, 0], [0, 0, 0], [5, 4, 6], truncated=[True, False, False]))
    assert again.tolist() == pytest.approx([2 / np.sqrt(16 + 1), 2 / np.sqrt(16 + 2), 0.5])
    asked = [term.rescore(batch).tolist() for _ in range(2)]
    assert asked[0] == asked[1] == pytest.approx([2 / np.sqrt(16 + 2), 2 / np.sqrt(16 + 4), 0.0])
    assert term.update(Rollout([batch])) == {"bonus": pytest.approx(np.mean([0.5, 0.5, 0, *again])), "states": 2}


def test_continuous_observations_are_counted_in_bins():
    space = spaces.Box(0, 1, (2,))
    term = bound("explors", space=space, pays="bonus", resolution=0.1)
    near, far = np.array([[0.52, 0.0]]), np.array([[0.71, 0.0]])
    term(step(near, [0], [0.0], far))
    assert term.rescore(step(far, [0], [0.0], near + 0.01))[0] == pytest.approx(1 / np.sqrt(2))
    assert term.rescore(step(near, [0], [0.0], far))[0] == 1.0


def test_the_presets_are_the_parts():
    memory, policy = played()
    both = bound("explors", every=KEPT, kept=KEPT, learner=Fixed(policy))
    selfrs = bound("explors", every=KEPT, kept=KEPT, learner=Fixed(policy), **type(both).presets["selfrs"])
    explob = bound("explors", every=KEPT, kept=KEPT, **type(both).presets["explob"])
    for term in (both, selfrs, explob):
        list(fed(term, memory, 1000))
    batch = step([40], [1], [0.0], [41])
    parts = [float(term.rescore(batch)[0]) for term in (both, selfrs, explob)]
    assert parts[0] == pytest.approx(parts[1] + parts[2])
    assert parts[1] != 0.0
    assert parts[2] == pytest.approx(1 / np.sqrt(1 + both._visits(both._states(np.array([41]))[0])))
    assert not explob.reads_policy


def test_what_is_designed_is_paid_after_the_warm_up_and_learned_before():
    memory, policy = played()
    term = bound("explors", pays="designed", every=2, kept=4, warm_up=KEPT + 1, learner=Fixed(policy))
    list(fed(term, memory, 1000))
    batch = step([40], [0], [0.0], [39])
    assert table(term._designed).any()
    assert term.rescore(batch)[0] == 0.0
    list(fed(term, memory, 1000))
    assert term.rescore(batch)[0] != 0.0


def test_a_network_s_reward_is_bounded_and_starts_at_none():
    function = LearnedFunction("network", 3, 2, hidden=8, rate=0.1, bound=0.1, random=np.random.default_rng(0))
    rows = np.random.default_rng(1).standard_normal((5, 3)).astype(np.float32)
    assert not function(rows).any()
    for _ in range(200):
        function.descend(-function.tensor(torch.from_numpy(rows))[:, 0].sum())
    np.testing.assert_allclose(function(rows)[:, 0], 0.1, rtol=1e-3)
    np.testing.assert_allclose(function(rows), function.tensor(torch.from_numpy(rows)).detach().numpy(), rtol=1e-5)


def test_episodes_are_put_together_over_rollouts_and_forgotten_where_they_are_left():
    episodes = PlayedEpisodes(2, kept=3)

    def play(rewards, ended):
        episodes.add(np.zeros((2, 1), np.float32), np.zeros(2, np.int64), np.array(rewards, float), np.array(ended))
        episodes.begin(np.array(ended))

    play([9, 9], [False, True])  # the beginning of these was not seen
    episodes.begin(np.array([True, False]))
    play([1, 2], [False, False])
    assert [episode.rewards.tolist() for episode in episodes.take()] == []
    play([3, 4], [True, False])
    play([5, 6], [True, True])
    assert [episode.rewards.tolist() for episode in episodes.take()] == [[1, 3], [5], [2, 4, 6]]
    play([7, 0], [False, False])
    list(episodes.take())
    episodes.begin(np.ones(2, bool))  # as when a run goes on
    play([8, 1], [True, True])
    assert [episode.rewards.tolist() for episode in episodes.take()] == [[8], [1]]
    assert [episode.rewards.tolist() for episode in episodes.newest] == [[2, 4, 6], [8], [1]]
    assert episodes.newest[0].returns(0.5).tolist() == [2 + 2 + 1.5, 4 + 3, 6]


def test_what_waited_too_long_is_no_episode():
    episodes = PlayedEpisodes(1, kept=3)
    episodes.begin(np.ones(1, bool))
    for number in range(LONGEST_ROLLOUT + 1):
        over = np.array([number == LONGEST_ROLLOUT - 1])
        episodes.add(np.zeros((1, 1), np.float32), np.zeros(1, np.int64), np.zeros(1), over)
        episodes.begin(over)
    assert list(episodes.take()) == []


@pytest.mark.parametrize("name", ["explors", "sors"])
def test_a_resume_on_a_table_goes_on_exactly(name):
    memory, policy = played()
    learner = Fixed(policy) if name == "explors" else None
    first = bound(name, every=3, kept=4, learner=learner)
    list(fed(first, memory, 1000))
    state = arrays(plain(first.state_dict()))
    other, _ = played(seed=1)
    list(fed(first, other, 1000))
    resumed = bound(name, every=3, kept=4, learner=learner)
    resumed.load_state_dict(state)
    list(fed(resumed, other, 1000))
    np.testing.assert_array_equal(table(first._designed), table(resumed._designed))
    assert repr(arrays(plain(first.state_dict()))) == repr(arrays(plain(resumed.state_dict())))


def test_a_state_of_another_shape_is_refused():
    state = bound("sors", space=spaces.Box(0, 1, (2,)), hidden=8).state_dict()
    with pytest.raises(ValueError, match="the same keys, function and hidden"):
        bound("sors", space=spaces.Box(0, 1, (2,)), hidden=16).load_state_dict(state)


@pytest.mark.parametrize("name", ["explors", "sors"])
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"every": 0}, "every=0"),
        ({"kept": 0}, "kept=0"),
        ({"warm_up": -1}, "warm_up=-1"),
        ({"bound": 0.0}, "bound=0"),
        ({"design_rate": -1.0}, "design_rate=-1"),
        ({"function": "linear"}, "function='linear'"),
        ({"hidden": 0}, "hidden=0"),
    ],
)
def test_settings_that_make_no_sense_are_refused(name, arguments, message):
    with pytest.raises(ValueError, match=message):
        make_term(name, **arguments)


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("explors", {"bonus": -0.1}, "bonus=-0.1"),
        ("explors", {"most_bonus": 0.0}, "most_bonus=0"),
        ("explors", {"resolution": -1.0}, "resolution=-1"),
        ("explors", {"critic_rate": 0.0}, "critic_rate=0"),
        ("explors", {"pays": "nothing"}, "pays='nothing'"),
        ("explors", {"max_states": 1}, "max_states=1"),
        ("sors", {"pairs": 0}, "pairs=0"),
    ],
)
def test_their_own_settings_are_checked_too(name, arguments, message):
    with pytest.raises(ValueError, match=message):
        make_term(name, **arguments)


@pytest.mark.parametrize("name", ["explors", "sors"])
def test_continuous_actions_and_wordy_observations_are_refused(name):
    with pytest.raises(ValueError, match="one discrete action"):
        bound(name, actions=spaces.Box(-1, 1, (2,)))
    with pytest.raises(ValueError, match="has no numbers to look at"):
        bound(name, space=spaces.Dict({"words": spaces.Text(5)}))
    with pytest.raises(ValueError, match="function=network"):
        bound(name, space=spaces.Box(0, 1, (2,)), function="table")
    with pytest.raises(ValueError, match="no observation entry"):
        bound(name, space=spaces.Dict({"cells": TABLE}), keys=["cell"])


def test_the_bonus_alone_takes_any_actions():
    term = bound("explors", actions=spaces.Box(-1, 1, (2,)), pays="bonus")
    assert term(step([3], np.zeros((1, 2)), [0.0], [4])).tolist() == [1.0]


def test_an_agent_that_cannot_say_how_it_acts_is_refused_before_training():
    class Silent:
        def probabilities(self, observations):
            raise ValueError("the agent sees more")

    for space in (TABLE, spaces.Dict({"a": spaces.Box(1, 2, (3,)), "b": spaces.MultiDiscrete([2, 3])})):
        term = bound("explors", space=space)
        with pytest.raises(ValueError, match="sees more"):
            term.meet(Silent())


def test_who_was_not_told_how_the_agent_acts_says_so():
    memory, _ = played()
    with pytest.raises(RewardTermError, match="ShapingCallback"):
        list(fed(bound("explors"), memory, 1000))


def test_a_run_too_short_to_learn_from_says_so():
    term = bound("sors", every=5)
    assert "0 episodes finished" in term.closing_remark()
    assert bound("explors", pays="bonus").closing_remark() is None


def test_visits_forget_what_was_seldom_seen():
    visits = Visits(4)
    for state in (1, 1, 2, 3, 4, 5, 5):
        visits.add(state)
    assert len(visits) <= 4
    assert visits(1) == 2
    copy = Visits(4)
    copy.load(visits.arrays())
    assert copy(1) == 2
