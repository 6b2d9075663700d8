"""Encoders, and couplings through a code."""

from __future__ import annotations

import numpy as np
import pytest

from agents.coding import (
    ENCODERS,
    bottlenecked_coupling,
    dead_end,
    ebim,
    entropy,
    greedy_coupling,
    masses_of,
    refined,
    uniform,
    uniform_quantiser,
)
from tests.agents.coding.marginals import random_masses


def stepwise(masses, rate):
    """Algorithm 1 as it is written: sets of messages, merged one pair at a time."""
    codes = [[index] for index in np.argsort(-masses, kind="stable") if masses[index]]

    def bits(codes):
        return entropy([sum(int(masses[member]) for member in code) for code in codes])

    while bits(codes) > rate + 1e-9:
        smallest = [*codes[:-2], codes[-2] + codes[-1]]
        if bits(smallest) <= rate + 1e-9:
            return smallest
        codes = [codes[0] + codes[1], *codes[2:]]
    return codes


def partitions(members):
    if not members:
        yield []
        return
    first, *rest = members
    for partition in partitions(rest):
        yield [[first], *partition]
        for at, code in enumerate(partition):
            yield [*partition[:at], [first, *code], *partition[at + 1 :]]


def cases(n_cases, most):
    rng = np.random.default_rng(26)
    for _ in range(n_cases):
        masses = random_masses(rng, rng.integers(1, most + 1))
        yield rng, masses, rng.random() * 1.1 * entropy(masses)


def test_the_closed_form_is_the_stepwise_encoder():
    for _, masses, rate in cases(400, 14):
        encoding = ebim(masses, rate)
        codes = {frozenset(np.flatnonzero(encoding.codes == code).tolist()) for code in range(encoding.n_codes)}
        assert codes == {frozenset(map(int, code)) for code in stepwise(masses, rate)}
        assert (encoding.codes[masses == 0] == -1).all()


def test_the_greedy_encoder_is_within_its_bound_of_the_best():
    for _, masses, rate in cases(60, 6):
        told = [
            entropy([sum(int(masses[member]) for member in code) for code in partition])
            for partition in partitions(np.flatnonzero(masses).tolist())
        ]
        best = max(bits for bits in told if bits <= rate + 1e-9)
        second = np.sort(masses)[-2] / masses.sum() if len(masses) > 1 else 0.0
        gap = 0.0 if second == 0 else -second * np.log2(second) - (1 - second) * np.log2(1 - second)
        assert ebim(masses, rate).information(masses) >= best - gap - 1e-8


def test_codes_keep_to_the_rate_and_the_joint_has_both_marginals_to_the_unit():
    for rng, masses, rate in cases(400, 14):
        policy = random_masses(rng, rng.integers(1, 6))
        for encoder in ENCODERS.values():
            assert entropy(encoder(masses, rate).masses(masses)) <= rate + 1e-8
            table = bottlenecked_coupling(masses, policy, rate, encoder).dense()
            assert (table >= 0).all()
            assert (table.sum(axis=1) == masses).all()
            assert (table.sum(axis=0) == policy).all()


def test_what_a_code_shares_with_an_action_its_messages_share_in_proportion():
    masses, policy = masses_of([0.3, 0.3, 0.2, 0.1, 0.1]), masses_of([0.5, 0.3, 0.2])
    encoding = ebim(masses, 1.0)
    table = bottlenecked_coupling(masses, policy, 1.0, ebim).dense()
    for code in range(encoding.n_codes):
        rows = table[encoding.codes == code] / masses[encoding.codes == code][:, None]
        assert np.abs(rows - rows[0]).max() < 1e-10


def test_where_the_message_fits_the_rate_the_coupling_is_the_plain_one():
    for rng, masses, _ in cases(50, 14):
        policy = random_masses(rng, 4)
        joint = bottlenecked_coupling(masses, policy, entropy(masses), ebim)
        assert (joint.dense() == greedy_coupling(masses, policy).dense()).all()


def test_two_equals_are_a_dead_end_under_a_bit_that_theorem_3_leaves():
    masses = uniform(2)
    plain = ebim(masses, 0.4)
    assert dead_end(masses, plain)
    assert plain.information(masses) == 0.0
    assert bottlenecked_coupling(masses, uniform(2), 0.4, ebim).mutual_information() < 1e-9
    moved = refined(masses, plain, 0.4)
    assert entropy(moved.masses(masses)) == pytest.approx(0.4, abs=1e-8)
    assert moved.information(masses) > 0.05
    assert bottlenecked_coupling(masses, uniform(2), 0.4).mutual_information() > 0.001


def test_refining_uses_the_rate_up_from_below_and_keeps_to_it_from_above():
    used = 0
    for _, masses, rate in cases(300, 10):
        plain = ebim(masses, rate)
        better = refined(masses, plain, rate)
        assert better.information(masses) >= plain.information(masses) - 1e-9
        assert entropy(better.masses(masses)) <= rate + 1e-8
        used += better.moved is not None
        if plain.n_codes > 1:
            less = refined(masses, plain, entropy(plain.masses(masses)) * 0.9)
            assert entropy(less.masses(masses)) < entropy(plain.masses(masses))
    assert used > 20


def test_the_quantiser_cuts_by_index_and_drops_empty_bins():
    assert uniform_quantiser(uniform(8), 2.0).codes.tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
    assert uniform_quantiser(uniform(8), 0.9).codes.tolist() == [0] * 8
    encoding = uniform_quantiser(masses_of([0.5, 0, 0, 0, 0.25, 0, 0.25, 0]), 2.0)
    assert encoding.codes.tolist() == [0, -1, -1, -1, 1, -1, 2, -1]
    assert encoding.n_codes == 3
    with pytest.raises(ValueError, match="rate"):
        uniform_quantiser(uniform(8), -1.0)
