"""Whole episodes of compiled worlds: the same as stepping, whoever shares them out."""

from __future__ import annotations

import numpy as np
import pytest

import envs
from envs.classic import worlds
from envs.classic.rollouts import AREA, CLOCK, CompiledVecEnv
from foundation.genome_policy import GenomePolicy

CARDS = [card for card in envs.options().values() if card.id in worlds()]
CARDS = [card for card in CARDS if issubclass(worlds()[card.id].face.worlds, CompiledVecEnv)]


@pytest.fixture(params=CARDS, ids=lambda card: card.name.removeprefix("classic/"))
def card(request):
    return request.param


def make(card, n=1, **arguments):
    return envs.make_vec(card.id, n, **{**card.kwargs, **arguments})


def policy_of(venv):
    return GenomePolicy(venv.inputs, venv.outputs, venv.hidden)


def genomes_for(venv, n, seed=0):
    return np.clip(np.random.default_rng(seed).normal(0, 1, (n, policy_of(venv).size)), -5, 5)


def stepped(venv, genomes):
    """Returns, lengths, areas and positions (n, steps, 2) of an episode each; NaN after its end."""
    n, policy = len(genomes), policy_of(venv)
    seen = venv.reset()
    returns, lengths, areas = np.zeros(n, np.float32), np.zeros(n, int), np.zeros(n, int)
    positions = np.full((n, venv.max_episode_steps, 2), np.nan)
    running = np.ones(n, bool)
    for step in range(venv.max_episode_steps):
        seen, rewards, dones, infos = venv.step(policy.act(genomes, seen))
        for row in np.flatnonzero(running):
            returns[row] += rewards[row]
            positions[row, step] = infos[row]["position"]
            if dones[row]:
                lengths[row], areas[row] = step + 1, infos[row]["area"]
                assert infos[row]["is_success"] == (areas[row] >= 0)
        running &= ~dones
        if not running.any():
            break
    assert not running.any()
    return returns, lengths, areas, positions


def test_whole_episodes_are_those_that_stepping_plays(card):
    n = 12
    venv = make(card, n, report=("position", "area"))
    genomes = genomes_for(venv, n)
    times = np.arange(0, venv.max_episode_steps, 7)
    made = venv.rollouts(genomes, venv.hidden, times)
    returns, lengths, areas, positions = stepped(venv, genomes)
    np.testing.assert_array_equal(made.lengths, lengths)
    np.testing.assert_array_equal(made.areas, areas)
    np.testing.assert_allclose(made.rewards, returns, rtol=1e-6, atol=1e-7)  # rewards of a step are float32
    for row in range(n):
        looks = np.minimum(times, lengths[row] - 1)
        np.testing.assert_allclose(made.positions[row], positions[row, looks], rtol=0, atol=1e-9)


def test_episodes_differ_and_nothing_depends_on_who_plays_them(card):
    venv = make(card)
    genomes = genomes_for(venv, 23, seed=1)
    times = [0, venv.max_episode_steps - 1]
    alone = venv.rollouts(genomes, venv.hidden, times)
    assert len(np.unique(alone.positions[:, -1].round(6), axis=0)) > 5
    for threads in (2, 3, 40):
        for one, other in zip(alone, venv.rollouts(genomes, venv.hidden, times, threads=threads), strict=True):
            np.testing.assert_array_equal(one, other)
    few = venv.rollouts(genomes[5:7], venv.hidden, times)
    for one, other in zip(alone, few, strict=True):
        np.testing.assert_array_equal(one[5:7], other)


def test_seeds_change_nothing(card):
    first, second = make(card, 3, seed=1), make(card, 3, seed=2)
    np.testing.assert_array_equal(first.reset(), second.reset())
    actions = np.random.default_rng(0).uniform(-1, 1, (20, 3, first.outputs))
    for action in actions:
        np.testing.assert_array_equal(first.step(action)[0], second.step(action)[0])


def test_positions_lie_in_the_extent_and_states_say_when_they_were(card):
    venv = make(card)
    times = np.arange(venv.max_episode_steps)
    made = venv.rollouts(genomes_for(venv, 20, seed=2), venv.hidden, times)
    for axis, (low, high) in enumerate(venv.extent):
        assert (made.positions[..., axis] >= low - 1e-12).all()
        assert (made.positions[..., axis] <= high + 1e-12).all()
    np.testing.assert_array_equal(made.states[..., CLOCK], np.minimum(times + 1, made.lengths[:, None]))
    np.testing.assert_array_equal(made.states[:, -1, AREA], made.areas)
    assert (made.areas < len(venv.goals)).all()


def test_pictures_are_of_the_states(card):
    venv = make(card)
    times = [0, venv.max_episode_steps // 2, venv.max_episode_steps - 1]
    states = venv.rollouts(genomes_for(venv, 30, seed=3), venv.hidden, times).states
    for size in (32, 64):
        views = venv.views(states[:, -1], size)
        assert views.shape == (30, size, size, 3)
        assert views.dtype == np.uint8
        np.testing.assert_array_equal(views[4], venv.views(states[4:5, -1], size)[0])
        assert len(np.unique(views.reshape(30, -1), axis=0)) > 5
    assert venv.views(states[:0, -1], 32).shape == (0, 32, 32, 3)


def test_pictures_for_people_show_places_where_they_say(card):
    venv = make(card)
    played = venv.rollouts(genomes_for(venv, 30, seed=3), venv.hidden, [venv.max_episode_steps - 1])
    places, pictures = played.positions[:, 0], venv.pictures(played.states[:, 0], 200).astype(int)
    (left, right), (bottom, top) = venv.shown
    columns = np.clip((places[:, 0] - left) / (right - left) * 200, 0, 199).astype(int)
    rows = np.clip((top - places[:, 1]) / (top - bottom) * 200, 0, 199).astype(int)
    apart = np.hypot(rows - np.roll(rows, 1), columns - np.roll(columns, 1)) > 40
    assert apart.sum() > 5
    mine = pictures[np.arange(30), rows, columns]
    others = np.roll(pictures, 1, axis=0)[np.arange(30), rows, columns]
    assert (np.abs(mine - others).max(axis=1) > 40)[apart].mean() > 0.7, "who is there is drawn there"
    venv.reset()
    np.testing.assert_array_equal(venv.frame(0), venv.pictures(venv.start[None])[0])


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"genomes": np.zeros((2, 7))}, r"genomes are \(2, 7\); expected \(n, "),
        ({"times": [-1]}, "expected steps from 0 to"),
        ({"times": [3, 2]}, "ascending"),
        ({"times": [10**6]}, "expected steps from 0 to"),
        ({"threads": 0}, "threads=0"),
        ({"hidden": (0,)}, "hidden=0"),
    ],
)
def test_what_does_not_fit_is_refused(card, changed, message):
    venv = make(card)
    arguments = {"genomes": genomes_for(venv, 2), "hidden": venv.hidden, "times": [0], "threads": 1}
    with pytest.raises(ValueError, match=message):
        venv.rollouts(**{**arguments, **changed})


def test_genomes_that_are_no_numbers_end_too(card):
    venv = make(card)
    genomes = genomes_for(venv, 2)
    genomes[0, 0] = np.nan
    made = venv.rollouts(genomes, venv.hidden, [venv.max_episode_steps - 1])
    assert made.lengths[0] <= venv.max_episode_steps
    sound = venv.rollouts(genomes[1:], venv.hidden, [venv.max_episode_steps - 1])
    np.testing.assert_array_equal(made.positions[1], sound.positions[0])
