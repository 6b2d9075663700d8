"""Counts are exact, and distillation tells seen from unseen."""

from __future__ import annotations

import numpy as np
import pytest
from gymnasium import spaces

from shaping import Rollout, Setting, ShapedVecEnv, Transitions, make_term
from shaping.state_counts import RowHash
from tests.shaping.worlds import corridors

ROOT2, ROOT3 = 2**-0.5, 3**-0.5


def bonuses(actions, n=1, **arguments):
    venv = ShapedVecEnv(corridors(n, length=3), {"count": make_term("count", **arguments)}, gamma=0.99)
    venv.reset()
    return [[info["reward_terms"]["count"] for info in venv.step(np.full(n, action))[3]] for action in actions]


def test_lifetime_counts_go_on_over_episodes():
    # cells 1, 0 (seen at reset), 1, 2 = end, then reset counts cell 0 again, 1
    paid = np.ravel(bonuses([1, 0, 1, 1, 1]))
    np.testing.assert_allclose(paid, [1, ROOT2, ROOT2, 1, ROOT3])


def test_episodic_counts_start_again():
    paid = np.ravel(bonuses([1, 0, 1, 1, 1], scope="episodic"))
    np.testing.assert_allclose(paid, [1, ROOT2, ROOT2, 1, 1])


def test_the_product_multiplies_both():
    paid = np.ravel(bonuses([1, 0, 1, 1, 1], scope="product", power=1.0))
    np.testing.assert_allclose(paid, [1, 1 / 4, 1 / 4, 1, 1 / 3])


def test_environments_share_lifetime_counts_and_not_episodic_ones():
    np.testing.assert_allclose(bonuses([1], n=2), [[1, ROOT2]])
    np.testing.assert_allclose(bonuses([1], n=2, scope="episodic"), [[1, 1]])


def test_the_table_stays_bounded_and_forgets_what_was_seen_least():
    term = make_term("count", max_states=10, resolution=1.0)
    term.bind(Setting(1, spaces.Box(-np.inf, np.inf, (1,)), spaces.Discrete(2), 0.99, 0))
    for _ in range(3):
        step(term, 0.0)
    for value in range(1, 100):
        step(term, float(value))
        assert len(term.state_dict()["lifetime"][0]) <= 10
    assert step(term, 0.2)[0] == pytest.approx(4**-0.5), "often seen, so kept; 0.2 rounds to it"


def step(term, value, n=1):
    observations = np.full((n, 1), value, np.float32)
    no = np.zeros(n, bool)
    return term(Transitions(observations, np.zeros(n), np.zeros(n), observations, no, no, [{}] * n))


def test_hashes_do_not_collide_on_rows_that_differ_in_one_place():
    rng = np.random.default_rng(0)
    for dtype in (np.uint8, np.int16, np.float32):
        base = np.repeat(rng.integers(0, 100, (1, 81)).astype(dtype), 8100, axis=0)
        values = np.tile(np.arange(100, 200), 81).astype(dtype)
        base[np.arange(8100), np.repeat(np.arange(81), 100)] = values
        assert len(np.unique(RowHash()([base]))) == 8100


def test_an_unknown_key_is_refused():
    for name in ("count", "rnd"):
        with pytest.raises(ValueError, match=r"no observation entry glyps.*cells"):
            ShapedVecEnv(corridors(1, dictionary=True), {name: make_term(name, keys=["glyps"])}, gamma=0.99)


@pytest.mark.parametrize("kind", ["grid", "numbers"])
def test_distillation_forgets_to_pay_for_what_it_saw_and_goes_on_paying_for_what_it_did_not(kind):
    rng = np.random.default_rng(0)
    if kind == "grid":
        space = spaces.Box(0, 5976, (9, 9), np.int16)
        seen, unseen = (rng.integers(2300, 2400, (8, 9, 9)).astype(np.int16) for _ in range(2))
    else:
        space = spaces.Box(-np.inf, np.inf, (12,), np.float32)
        seen, unseen = (rng.normal(size=(8, 12)).astype(np.float32) for _ in range(2))
    term = make_term("rnd", warm_up=64, share=1.0)
    term.bind(Setting(8, space, spaces.Discrete(2), 0.99, 3))
    no, zeros = np.zeros(8, bool), np.zeros(8)

    def transitions(observations):
        return Transitions(observations, zeros, zeros, observations, no, no, [{}] * 8)

    def error(observations):
        return float(term._errors(term._features(observations)).mean())

    assert term(transitions(seen)).tolist() == [0.0] * 8, "nothing is paid while the scale is found"
    for _ in range(16):
        term(transitions(seen))
    before = error(seen), error(unseen)
    losses = [term.update(Rollout([transitions(seen)] * 32))["loss"] for _ in range(60)]
    assert losses[-1] < 0.1 * losses[0]
    assert error(seen) < 0.1 * before[0]
    assert error(unseen) > 0.25 * before[1]
    assert term(transitions(unseen)).mean() > 5 * term(transitions(seen)).mean()
    assert np.shares_memory(term._parameters[0].detach().numpy(), term._predictor[0]), "scoring sees what was learned"


def test_distillation_leaves_the_global_random_state_alone():
    import torch

    torch.manual_seed(1)
    before = torch.get_rng_state()
    term = make_term("rnd")
    term.bind(Setting(1, spaces.Discrete(5), spaces.Discrete(2), 0.99, 3))
    assert torch.equal(torch.get_rng_state(), before)
