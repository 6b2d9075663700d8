"""Rows that repeat are encoded once: the same codes and gradients, never those of older weights."""

from __future__ import annotations

import copy
import logging
import pickle

import numpy as np
import pytest
import torch
from stable_baselines3.common.vec_env import VecMonitor

import envs
from agents import build
from agents.features import BaselineFeatures, CompactFeatures
from agents.features.distinct import REMEMBERED, Distinct, RowTable, as_words
from agents.features.shards import MIN_SHARD
from envs.nethack.observations import ObservationLayout
from tests.agents.features.test_glyph_features import KEY_ROOM, batch

SPACE = ObservationLayout(("glyphs_crop", "blstats", "inv_glyphs", "message")).space()


def repeating(space, rows, of=9, seed=0):
    """A batch in which every entry has `of` different rows, in an order of its own."""
    rng = np.random.default_rng(seed)
    return {key: entry[torch.as_tensor(rng.integers(of, size=rows))] for key, entry in batch(space, of, seed).items()}


@pytest.mark.parametrize("kind", [np.uint8, np.int16, np.int64, np.float32, np.float64, bool])
@pytest.mark.parametrize("shape", [(1,), (3,), (9, 9)])
def test_rows_get_the_numbers_of_their_first_appearance(kind, shape):
    rng = np.random.default_rng(0)
    entry = torch.as_tensor(rng.integers(0, 2, (200, *shape)).astype(kind) * kind(1))
    rows = as_words(entry)
    table = RowTable(200, rows.shape[1], rows.dtype)
    numbers = table.number(rows)
    seen: dict[bytes, int] = {}
    assert numbers.tolist() == [seen.setdefault(row.numpy().tobytes(), len(seen)) for row in entry]
    assert len(table) == len(seen)
    assert table.number(rows[::-1].copy()).tolist() == numbers[::-1].tolist()  # nothing new
    table.clear()
    assert table.number(rows[50:]).tolist()[0] == 0


def test_rows_that_fall_into_one_place_are_told_apart():
    rows = np.arange(4096, dtype=np.uint64).reshape(-1, 2) % np.uint64(8) << np.uint64(48)
    table = RowTable(8, 2, rows.dtype)  # sixteen places, four different rows
    assert table.number(rows).tolist() == [0, 1, 2, 3] * 512


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("extractor", [CompactFeatures, BaselineFeatures])
def test_codes_and_gradients_are_those_of_the_plain_pass(extractor, threads):
    space = ObservationLayout(("glyphs", "glyphs_crop", "colors_crop", "inv_glyphs", "message")).space()
    torch.manual_seed(0)
    plain = extractor(space).double()  # in which rounding hides nothing
    plain._distinct = {}
    once = extractor(space, threads=threads).double()
    once.load_state_dict(plain.state_dict())
    observations = repeating(space, 2 * MIN_SHARD + 5)
    weights = torch.randn(plain.features_dim, dtype=torch.float64)
    for module in (plain, once):
        (module(observations) @ weights).square().mean().backward()
    torch.testing.assert_close(once(observations), plain(observations))
    for (name, expected), (_, actual) in zip(plain.named_parameters(), once.named_parameters(), strict=True):
        torch.testing.assert_close(actual.grad, expected.grad, rtol=1e-9, atol=1e-9, msg=name)


def test_an_encoder_sees_every_distinct_row_once():
    seen = []
    module = CompactFeatures(SPACE)
    encoder = module.encoders["glyphs_crop"]
    encoder.register_forward_pre_hook(lambda _, entries: seen.append(len(entries[0])))
    observations = repeating(SPACE, 200, of=9)
    module(observations)
    module.remembers = True
    with torch.no_grad():
        module(observations)
        module(observations)
        module(repeating(SPACE, 30, of=11, seed=1))
    assert seen[:2] == [9, 9]
    assert len(seen) == 3  # the second time nothing was new
    assert seen[2] <= 11


@pytest.mark.parametrize("how", ["optimiser", "fused optimiser", "load_state_dict"])
def test_a_code_is_never_that_of_older_weights(how):
    torch.manual_seed(0)
    module = CompactFeatures(SPACE)
    module.remembers = True
    observations = repeating(SPACE, 40)

    def acted():
        with torch.no_grad():
            return module(observations)

    before = acted()
    if how == "load_state_dict":
        module.load_state_dict(CompactFeatures(SPACE).state_dict())
    else:
        optimiser = torch.optim.Adam(module.parameters(), lr=0.01, fused=how == "fused optimiser")
        module(observations).square().sum().backward()
        optimiser.step()
    after = acted()
    assert not torch.allclose(before, after)
    torch.testing.assert_close(after, module(observations).detach())


def test_target_networks_that_are_written_past_autograd_are_read_anew():
    """SB3 moves them by ``parameter.data``, which no counter of torch's notices."""
    module = CompactFeatures(SPACE)
    observations = repeating(SPACE, 40)
    with torch.no_grad():
        before = module(observations)
        for parameter in module.parameters():
            parameter.data.mul_(0.5)
        assert not torch.allclose(module(observations), before)


def test_only_agents_without_target_networks_remember():
    venv = VecMonitor(envs.make_vec(KEY_ROOM, 2, seed=0))
    ppo = build("ppo", venv, seed=0)
    dqn = build("dqn", venv, seed=0, buffer_size=100)
    assert ppo.policy.features_extractor.remembers
    for network in (dqn.q_net, dqn.q_net_target):
        assert not network.features_extractor.remembers
    venv.close()


def test_a_batch_that_does_not_repeat_is_left_alone_which_is_said_once(caplog):
    distinct, unlike = Distinct("glyphs_crop"), torch.arange(256)[:, None]
    with caplog.at_level(logging.INFO, "agents.features.distinct"):
        for _ in range(3):
            entry, which = distinct.reduce(unlike)
            assert which is None
            assert entry is unlike
    assert [record.getMessage() for record in caplog.records] == [
        "256 of 256 rows of glyphs_crop are distinct: all are encoded"
    ]
    assert distinct.reduce(unlike % 9)[1] is not None  # what was said decides nothing


def test_a_full_memory_begins_anew():
    module, distinct = torch.nn.Linear(1, 3), Distinct("x")
    with torch.no_grad():
        for start in range(0, 3 * REMEMBERED, 512):
            entry = torch.arange(start, start + 512).remainder(600)[:, None].float()
            torch.testing.assert_close(distinct.recall(module, entry), module(entry))
        many = torch.arange(REMEMBERED + 1)[:, None].float()
        torch.testing.assert_close(distinct.recall(module, many), module(many))


def test_copies_and_pickles_have_no_memory_of_the_originals_weights():
    module = CompactFeatures(SPACE)
    module.remembers = True
    observations = repeating(SPACE, 40)
    with torch.no_grad():
        expected = module(observations)
        for again in (pickle.loads(pickle.dumps(module)), copy.deepcopy(module)):
            torch.testing.assert_close(again(observations), expected)
            again.load_state_dict(CompactFeatures(SPACE).state_dict())
            assert not torch.allclose(again(observations), expected)


def test_a_run_repeats_itself():
    def train():
        venv = VecMonitor(envs.make_vec(KEY_ROOM, 8, seed=0))
        model = build("ppo", venv, seed=0, threads=2, n_steps=32, batch_size=128, n_epochs=2)
        model.learn(512)
        venv.close()
        return [parameter.detach() for parameter in model.policy.parameters()]

    for first, second in zip(train(), train(), strict=True):
        assert torch.equal(first, second)
