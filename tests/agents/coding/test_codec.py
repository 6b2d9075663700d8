"""Two players with one codec: what is told, what is paid, and what a difference does."""

from __future__ import annotations

import warnings
from fractions import Fraction

import numpy as np
import pytest

from agents.coding import (
    COUPLINGS,
    ENCODERS,
    Blocks,
    Codec,
    FactoredBelief,
    Grid,
    MessageImpossible,
    TabularBelief,
    enumerate_game,
    masses_of,
)

MATRIX = {0: 4.0, 1: 3.0, 2: 0.0}
"""Rewards of the matrix game of the paper."""


def one_step(state, step, action):
    return [(1.0, MATRIX[action], None)]


class Tree:
    """Random rewards, policies of some entropy, two successors of some actions; so many steps."""

    def __init__(self, seed: int, actions: int = 3, steps: int = 3) -> None:
        self._seed, self._actions, self._steps = seed, actions, steps

    def _drawn(self, state):
        return np.random.default_rng([self._seed, *state])

    def policy(self, state, step):
        return self._drawn(state).dirichlet(np.ones(self._actions))

    def outcomes(self, state, step, action):
        rng = self._drawn((*state, action, 99))
        following = [(*state, action, branch) if step + 1 < self._steps else None for branch in range(2)]
        if rng.random() < 0.7:
            return [(1.0, rng.normal(), following[0])]
        return [(0.25, rng.normal(), following[0]), (0.75, rng.normal(), following[1])]

    def value(self, state=(0,), step=0):
        """Of the policy on the grid, which is what is played."""
        total = 0.0
        for action, share in enumerate(Grid().policy(self.policy(state, step))):
            for probability, reward, following in self.outcomes(state, step, action):
                later = self.value(following, step + 1) if following else 0.0
                total += share * probability * (reward + later)
        return total


def play(sender, receiver, message, seed, steps, difference=0.0, alpha=2.0, actions=2):
    """An episode of a random chain; the receiver's policy differs by so much."""
    rng = np.random.default_rng(seed)
    sender.reset()
    receiver.reset()
    for _ in range(steps):
        row = rng.dirichlet(np.full(actions, alpha))
        action = sender.choose(message, row, rng)
        sender.update(row, action)
        off = np.zeros(actions)
        off[:2] = difference * rng.choice([-1, 1]) * np.array([1, -1])
        receiver.update(np.clip(row + off, 0.0, 1.0), action)
    return receiver.decode()


def test_averaged_over_messages_a_step_is_the_policy_on_the_grid():
    """Exactly, in fractions: no rounding of ours stands between couplings and the policy."""
    rng = np.random.default_rng(2)
    for _ in range(40):
        n, actions = rng.integers(1, 9), rng.integers(1, 7)
        codec = Codec(TabularBelief(rng.dirichlet(np.ones(n))), merge=False)
        row = rng.dirichlet(np.ones(actions))
        stage = codec._stage(codec.belief, codec.grid.weights(row))
        policy = masses_of(codec.grid.policy(row))
        if stage is None:
            continue
        total = [Fraction(0)] * actions
        for message in range(n):
            told = stage.coupling.row(message)
            for column, action in enumerate(stage.actions):
                total[action] += Fraction(int(told[column]))
        assert [int(mass) for mass in total] == policy.tolist()


@pytest.mark.parametrize("settings", [{}, {"merge": False}, {"rate": 0.3}, {"noise": 0.1}, {"coupling": "cicalese"}])
def test_the_table_of_all_messages_is_each_messages_own_and_averages_to_the_policy(settings):
    rng = np.random.default_rng(4)
    for _ in range(25):
        n, actions = rng.integers(1, 9), rng.integers(2, 9)
        codec = Codec(TabularBelief(int(n)), **settings)
        row = rng.dirichlet(np.ones(actions)) if rng.random() < 0.5 else np.full(actions, 1 / actions)
        table = codec.all_sender_probabilities(row)
        belief = codec.belief.masses_of_messages
        for message in range(n):
            assert table[message] == pytest.approx(codec.sender_probabilities(message, row), abs=1e-12)
        assert belief @ table / belief.sum() == pytest.approx(codec.grid.policy(row), abs=1e-11)


@pytest.mark.parametrize("coupling", COUPLINGS)
def test_the_return_does_not_depend_on_prior_rate_encoder_or_coupling(coupling):
    for seed in range(2):
        tree = Tree(seed)
        value = tree.value()
        for prior in (np.full(6, 1 / 6), np.array([0.7, 0.2, 0.1, 0.0])):
            settings = [{"encoder": encoder, "rate": rate} for encoder in ENCODERS for rate in (0.2, 0.7)]
            for chosen in [{}, {"merge": False}, {"noise": 0.0}, *settings]:
                codec = Codec(TabularBelief(prior), coupling=coupling, **chosen)
                with warnings.catch_warnings(action="ignore", category=RuntimeWarning):  # dead ends
                    exact = enumerate_game(codec, prior, (0,), tree.policy, tree.outcomes)
                assert exact.mean_return == pytest.approx(value, abs=1e-9)
                assert prior @ exact.returns == pytest.approx(value, abs=1e-9)


def test_the_matrix_game_is_played_as_well_as_the_policy_and_its_message_guessed():
    codec = Codec(TabularBelief(2))
    quiet = enumerate_game(codec, [0.5, 0.5], 0, lambda state, step: [1.0, 0.0, 0.0], one_step)
    assert (quiet.accuracy, quiet.mean_return, quiet.information) == (0.5, 4.0, 0.0)
    loud = enumerate_game(codec, [0.5, 0.5], 0, lambda state, step: [0.5, 0.5, 0.0], one_step)
    assert (loud.accuracy, loud.mean_return, loud.returns.tolist()) == (1.0, 3.5, [4.0, 3.0])
    assert loud.information == pytest.approx(1.0)


def test_exact_accuracy_is_what_many_played_games_come_to():
    tree, prior = Tree(5, actions=3, steps=2), np.full(8, 1 / 8)
    for settings in ({}, {"noise": 0.2}, {"rate": 0.5}):
        exact = enumerate_game(Codec(TabularBelief(8), **settings), prior, (0,), tree.policy, tree.outcomes)
        rng, right, games = np.random.default_rng(0), 0, 1500
        codec = Codec(TabularBelief(8), **settings)
        for _ in range(games):
            codec.reset()
            message, state, step = int(rng.integers(8)), (0,), 0
            while state is not None:
                row = tree.policy(state, step)
                action = codec.choose(message, row, rng)
                if rng.random() < codec.noise:
                    action = int(rng.integers(3))
                codec.update(row, action)
                outcomes = list(tree.outcomes(state, step, action))
                state = outcomes[rng.choice(len(outcomes), p=[outcome[0] for outcome in outcomes])][2]
                step += 1
            right += codec.decode() == message
        assert right / games == pytest.approx(exact.accuracy, abs=0.05)


def test_256_bits_arrive_where_the_policy_is_talkative_enough():
    sender, receiver = (Codec(FactoredBelief([256] * 32)) for _ in range(2))
    for seed in range(4):
        message = int.from_bytes(np.random.default_rng(seed).bytes(32), "little")
        assert play(sender, receiver, message, seed, 500) == message
        assert receiver.capacity > 256 * 1.25
        assert receiver.belief_in(message) == 1.0
        assert receiver.entropy == 0.0


def test_an_episode_that_is_certain_is_decoded_by_who_differs_by_a_ten_millionth():
    sender, receiver = (Codec(FactoredBelief([256] * 32)) for _ in range(2))
    certain, seeds = 0, 15
    for seed in range(seeds):
        message = int.from_bytes(np.random.default_rng(seed).bytes(32), "little")
        decoded = play(sender, receiver, message, seed, 500, difference=0.999e-7)
        if sender.certain():
            certain += 1
            assert decoded == message
            assert [row.tobytes() for row in receiver.belief._rows] == [row.tobytes() for row in sender.belief._rows]
    assert certain > seeds / 2


def test_the_flag_is_honest_where_players_part_the_episode_was_not_certain():
    rng, parted, kept = np.random.default_rng(0), 0, 0
    for steps in [8] * 40 + [60] * 10:
        sender, receiver = (Codec(FactoredBelief([256] * 4), grid=Grid(1 << 12)) for _ in range(2))
        alike = True
        for _ in range(steps):
            row = rng.dirichlet([2.0, 2.0, 2.0])
            action = sender.choose(99, row, rng)
            sender.update(row, action)
            receiver.update(row + np.array([1e-6, -1e-6, 0.0]) * rng.choice([-1, 1]), action)
            rows = zip(sender.belief._rows, receiver.belief._rows, strict=True)
            alike = alike and all((ours == theirs).all() for ours, theirs in rows)
        assert alike or not sender.certain(1.001e-6)
        parted += not alike
        kept += sender.certain(1.001e-6)
    assert parted > 3
    assert kept > 3


def test_both_sides_hold_the_same_numbers_at_every_step_whatever_is_set():
    for settings in ({}, {"merge": False}, {"noise": 0.05}, {"rate": 0.25}, {"coupling": "cicalese"}):
        sender, receiver = (Codec(FactoredBelief([16, 5, 256], first_pass=True), **settings) for _ in range(2))
        assert isinstance(play(sender, receiver, 777, 3, 60, actions=4), int)
        for ours, theirs in zip(sender.belief._rows, receiver.belief._rows, strict=True):
            assert (ours == theirs).all()
        assert sender.margin == receiver.margin


def test_merging_tells_more_where_actions_tell_the_same():
    row = np.full(8, 1 / 8)
    for merge, steps in ((True, 4), (False, 8)):
        codec, rng = Codec(FactoredBelief([2] * 12), merge=merge), np.random.default_rng(0)
        needed = 0
        while codec.entropy > 0:
            codec.update(row, codec.choose(0b101101001110, row, rng))
            needed += 1
        assert codec.decode() == 0b101101001110
        assert needed == steps if merge else needed > steps
    with pytest.raises(ValueError, match="noise hides"):
        Codec(TabularBelief(2), merge=True, noise=0.1)


def test_noise_rules_no_message_out_and_is_overcome():
    sender = Codec(TabularBelief(16), noise=0.2)
    rng = np.random.default_rng(1)
    right = 0
    for message in range(16):
        sender.reset()
        for _ in range(60):
            row = rng.dirichlet([2.0, 2.0, 2.0])
            action = sender.choose(message, row, rng)
            sender.update(row, int(rng.integers(3)) if rng.random() < 0.2 else action)
            assert (sender.belief.masses_of_messages > 0).all()
        right += sender.decode() == message
    assert right >= 14


def test_the_update_under_noise_is_bayes_rule():
    belief, row = np.array([0.5, 0.3, 0.2]), np.array([0.5, 0.25, 0.25])
    codec = Codec(TabularBelief(belief), noise=0.3)
    told = codec.all_sender_probabilities(row)
    for executed in range(3):
        codec.reset()
        codec.update(row, executed)
        likelihood = 0.7 * told[:, executed] + 0.1
        expected = belief * likelihood / (belief * likelihood).sum()
        assert codec.belief.masses_of_messages / 2**40 == pytest.approx(expected, abs=1e-10)


def test_a_rate_leaves_the_dead_end_and_the_encoder_that_does_not_says_so():
    row = np.full(2, 0.5)
    for encoder, leaves in (("ebim", True), ("ebim_deterministic", False)):
        codec, rng = Codec(TabularBelief(2), rate=0.4, encoder=encoder), np.random.default_rng(0)
        if not leaves:
            with pytest.warns(RuntimeWarning, match="tells nothing at rate=0.4"):
                codec.update(row, codec.choose(1, row, rng))
        for _ in range(400):
            codec.update(row, codec.choose(1, row, rng))
        assert (codec.belief_in(1) > 0.99) == leaves
        assert (codec.dead_ends > 0) != leaves


def test_a_message_outside_the_support_is_refused_or_the_policy_is_played():
    row = [0.25, 0.75]
    with pytest.raises(MessageImpossible, match="outside the prior's support"):
        Codec(TabularBelief([0.5, 0.0, 0.5])).choose(1, row, np.random.default_rng(0))
    codec = Codec(TabularBelief([0.5, 0.0, 0.5]), impossible="ignore")
    assert codec.sender_probabilities(1, row).tolist() == row
    assert codec.choose(1, row, np.random.default_rng(0)) in (0, 1)
    assert codec.lost
    codec.reset()
    assert not codec.lost
    with pytest.raises(ValueError, match="below 3"):
        codec.choose(3, row, np.random.default_rng(0))


def test_an_action_that_nobody_plays_is_refused_or_nothing_is_learned():
    codec = Codec(TabularBelief(4))
    with pytest.raises(MessageImpossible, match="action 1 was executed"):
        codec.update([1.0, 0.0], 1)
    assert (codec.steps, codec.capacity) == (0, 0.0)
    lenient = Codec(TabularBelief(4), impossible="ignore")
    lenient.update([1.0, 0.0], 1)
    assert lenient.lost
    assert lenient.entropy == 2.0
    with pytest.raises(ValueError, match="from 0 to 1"):
        codec.update([1.0, 0.0], 2)


def test_masked_actions_have_exactly_nothing_and_a_mask_that_leaves_nothing_is_refused():
    codec = Codec(TabularBelief(4))
    told = codec.all_sender_probabilities([0.2, 0.3, 0.5], [True, False, True])
    assert (told[:, 1] == 0).all()
    assert told.sum(axis=1) == pytest.approx(np.ones(4))
    with pytest.raises(ValueError, match="leaves no action"):
        codec.update([0.0, 1.0], 0, [True, False])
    with pytest.raises(ValueError, match="one for each"):
        codec.update([0.5, 0.5], 0, [True])


def test_a_single_message_a_known_one_and_a_silent_policy_tell_nothing_and_work():
    rng = np.random.default_rng(0)
    for belief in (TabularBelief(1), TabularBelief([0.0, 1.0]), FactoredBelief([1, 1])):
        codec = Codec(belief)
        message = codec.decode()
        row = [0.4, 0.6]
        assert codec.sender_probabilities(message, row) == pytest.approx(codec.grid.policy(row))
        codec.update(row, codec.choose(message, row, rng))
        assert codec.entropy == 0.0
        assert codec.certain(1.0), "nothing is left that could go wrong"
    silent = Codec(TabularBelief(4))
    silent.update([0.0, 1.0], 1)
    assert (silent.entropy, silent.capacity, silent.decode()) == (2.0, 0.0, 0)


def test_blocks_are_told_by_entropy_the_lowest_index_first_and_once_each_where_asked():
    priors = [[0.9, 0.1], [0.5, 0.5], [0.5, 0.5]]
    assert FactoredBelief(priors).select()[0] == 1
    visited, belief = [], FactoredBelief(priors, first_pass=True)
    for _ in range(4):
        visited.append(belief.select()[0])
        belief.end_step()
    assert visited == [0, 1, 2, 1]
    assert Blocks((2, 2, 2)) == belief.blocks


def test_a_copy_goes_its_own_way():
    codec = Codec(TabularBelief(4))
    twin = codec.copy()
    twin.update([0.5, 0.5], 0)
    assert (codec.entropy, twin.entropy) == (2.0, 1.0)
    assert codec.log2_belief_in(0) == -2.0


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"rate": 0.0}, "rate"),
        ({"rate": 1.5}, "rate"),
        ({"noise": -0.1}, "noise"),
        ({"coupling": "greddy"}, "Did you mean greedy"),
        ({"encoder": "ebin"}, "Did you mean ebim"),
        ({"impossible": "maybe"}, "expected one of raise"),
    ],
)
def test_settings_out_of_bounds_are_refused(settings, words):
    with pytest.raises(ValueError, match=words):
        Codec(TabularBelief(4), **settings)
