"""Features, actors, optimisers and the replay of BARFI."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from gymnasium import spaces

from agents.behaviour_alignment.actors import Gaussian, Softmax
from agents.behaviour_alignment.features import Fourier, OneHot, RandomReLU, Tiles, WithBias, kind_for, random_weights
from agents.behaviour_alignment.optimisers import Ascent, fresh_state
from agents.behaviour_alignment.replay import EpisodeReplay

LOW, HIGH = np.array([-1.0, 0.0]), np.array([1.0, 10.0])


def test_fourier_features_are_cosines_of_every_frequency_vector():
    places = np.random.default_rng(0).uniform(LOW, HIGH, (5, 2))
    features = Fourier(LOW, HIGH, 3)(places)
    frequencies = np.stack(np.meshgrid(np.arange(4), np.arange(4), indexing="ij"), -1).reshape(-1, 2)
    np.testing.assert_allclose(features, np.cos(np.pi * ((places - LOW) / (HIGH - LOW)) @ frequencies.T), atol=1e-12)


def test_fourier_features_beyond_the_bounds_are_those_on_them():
    features = Fourier(LOW, HIGH, 2)
    np.testing.assert_array_equal(features(np.array([[9.0, -9.0]])), features(np.array([[1.0, 0.0]])))


def test_every_tiling_has_one_tile_and_neighbours_share_most():
    tiles = Tiles(LOW, HIGH, 5, 4)
    assert tiles.width == 5 * 25
    near = tiles(np.array([[0.0, 5.0], [0.09, 5.0], [0.9, 5.0]]))
    np.testing.assert_array_equal(near.sum(axis=1), 5)
    np.testing.assert_array_equal(near.reshape(3, 5, 25).sum(axis=2), 1)
    assert near[0] @ near[1] >= 3
    assert near[0] @ near[2] == 0


def test_random_features_are_those_of_their_weights_and_one_hot_counts_from_its_start():
    box = spaces.Box(-np.inf, np.inf, (3,))
    weights = random_weights(box, 8, np.random.default_rng(0))
    seen = np.random.default_rng(1).normal(size=(4, 3))
    expected = np.maximum(seen @ weights[:, :3].T + weights[:, 3], 0)
    np.testing.assert_allclose(RandomReLU(weights)(seen), expected)
    np.testing.assert_array_equal(OneHot(spaces.Discrete(3, start=5))(np.array([5, 7])), [[1, 0, 0], [0, 0, 1]])


def test_a_bias_is_last_and_alone_where_there_is_nothing_else():
    biased = WithBias(OneHot(spaces.Discrete(2)))
    np.testing.assert_array_equal(biased(np.array([1])), [[0, 1, 1]])
    np.testing.assert_array_equal(biased(np.array([0, 1])) @ biased.constant, [1, 1])
    np.testing.assert_array_equal(WithBias(None)(np.zeros((3, 7))), np.ones((3, 1)))


def test_auto_goes_by_the_space():
    assert kind_for(spaces.Discrete(4), "auto", None, 3) == "one_hot"
    assert kind_for(spaces.Box(0, 1, (2,)), "auto", None, 3) == "fourier"
    assert kind_for(spaces.Box(0, 1, (9,)), "auto", None, 3) == "random_relu"
    assert kind_for(spaces.Box(-np.inf, np.inf, (2,)), "auto", None, 3) == "random_relu"
    assert kind_for(spaces.Box(-np.inf, np.inf, (2,)), "auto", [[0, 1], [0, 1]], 3) == "fourier"


def test_samples_are_as_frequent_as_they_are_likely():
    actor, random = Softmax(spaces.Discrete(3)), np.random.default_rng(0)
    outputs = np.tile([0.0, 1.0, -1.0], (20_000, 1))
    shares = np.bincount(actor.sample(outputs, random), minlength=3) / 20_000
    np.testing.assert_allclose(shares, actor.probabilities(outputs[:1])[0], atol=0.02)
    normal = Gaussian(spaces.Box(-1.0, 3.0, (1,)), 0.2)
    drawn = normal.sample(np.zeros((20_000, 1)), random)
    assert drawn.mean() == pytest.approx(1.0, abs=0.01)
    assert drawn.std() == pytest.approx(0.2, abs=0.01)


@pytest.mark.parametrize("kind", ["rmsprop", "adam"])
def test_optimisers_are_torchs(kind):
    random = np.random.default_rng(0)
    parameter = torch.nn.Parameter(torch.zeros(4, dtype=torch.float64))
    theirs = torch.optim.RMSprop([parameter], 0.01) if kind == "rmsprop" else torch.optim.Adam([parameter], 0.01)
    ours, value = Ascent(kind, 0.01, fresh_state((4,))), np.zeros(4)
    for _ in range(7):
        gradient = random.normal(size=4)
        parameter.grad = -torch.tensor(gradient)
        theirs.step()
        value = value + ours.step(gradient)
        np.testing.assert_allclose(value, parameter.detach().numpy(), rtol=1e-9)
    other = ours.copy()
    other.step(np.ones(4))
    assert other.state["steps"] == ours.state["steps"] + 1


def replay_of(count, capacity=4):
    replay = EpisodeReplay(capacity, 3, np.zeros(2, np.float32), np.zeros((), np.int64), ["task", "hint"])
    for k in range(count):
        length = 1 + k % 3
        replay.add([np.full(2, k)] * length, [k] * length, [[k, -k]] * length)
    return replay


def test_the_newest_and_the_rest_share_no_episode_and_none_is_made_up():
    for count in range(1, 11):
        replay = replay_of(count)
        held = list(range(max(0, count - 4), count))
        newest = [int(replay.actions[row, 0]) for row in replay.newest(3)]
        rest = [int(replay.actions[row, 0]) for row in replay.before(3)]
        assert newest == held[-3:]
        assert rest == held[:-3]


def test_steps_of_episodes_come_one_after_the_other():
    replay = replay_of(3)
    observations, actions, rewards, ends = replay.steps(np.array([2, 1]))
    np.testing.assert_array_equal(actions, [2, 2, 2, 1, 1])
    np.testing.assert_array_equal(ends, [False, False, True, False, True])
    np.testing.assert_array_equal(rewards[:, 1], -actions)
    np.testing.assert_array_equal(observations[:, 0], actions)


def test_a_replay_goes_on_where_it_was():
    full, other = replay_of(6), replay_of(0)
    other.load_state_dict(full.state_dict())
    for name in ("lengths", "added"):
        np.testing.assert_array_equal(getattr(other, name), getattr(full, name))
    for rows in (full.newest(3), full.before(3), np.arange(4)):
        for ours, theirs in zip(other.steps(rows), full.steps(rows), strict=True):
            np.testing.assert_array_equal(ours, theirs)
    empty = replay_of(0)
    empty.load_state_dict(replay_of(0).state_dict())
    assert len(empty) == 0
    with pytest.raises(ValueError, match="do not fit"):
        replay_of(0, capacity=3).load_state_dict(full.state_dict())
