"""Masses, the grid, couplings and their bounds."""

from __future__ import annotations

import heapq
import itertools
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from agents.coding import (
    COUPLINGS,
    TOTAL,
    Grid,
    cicalese_coupling,
    entropy,
    greedy_coupling,
    greedy_coupling_of,
    independent_coupling,
    majorisation_bound,
    masses_of,
    normalised,
    uniform,
)
from tests.agents.coding.marginals import random_masses

NEAR_LEAST = np.log2(np.e) / np.e
"""Bits that greedy may have above the least entropy there is."""


def pairs(cases: int, most: int):
    rng = np.random.default_rng(19)
    for _ in range(cases):
        n, m = rng.integers(1, most + 1, 2)
        yield random_masses(rng, n), random_masses(rng, m)


def heap_coupling(p, q):
    """Greedy by two heaps of plain Python."""
    ours = [(-int(mass), index) for index, mass in enumerate(p) if mass]
    theirs = [(-int(mass), index) for index, mass in enumerate(q) if mass]
    heapq.heapify(ours)
    heapq.heapify(theirs)
    table = np.zeros((len(p), len(q)), np.int64)
    while ours:
        (a, i), (b, j) = heapq.heappop(ours), heapq.heappop(theirs)
        mass = min(-a, -b)
        table[i, j] += mass
        if a + mass:
            heapq.heappush(ours, (a + mass, i))
        if b + mass:
            heapq.heappush(theirs, (b + mass, j))
    return table


def least_entropy(p, q) -> float:
    """Over all vertices: each is what some order of filling cells as full as can be gives."""
    best = np.inf
    for order in itertools.permutations(range(len(p) * len(q))):
        rows, columns = p.copy(), q.copy()
        masses = []
        for cell in order:
            i, j = divmod(cell, len(q))
            mass = min(rows[i], columns[j])
            rows[i] -= mass
            columns[j] -= mass
            masses.append(mass)
        best = min(best, entropy(masses))
    return best


@pytest.mark.parametrize("name", COUPLINGS)
def test_marginals_are_exact_to_the_unit(name):
    for p, q in pairs(400, 14):
        joint = COUPLINGS[name](p, q)
        table = joint.dense()
        assert (table >= 0).all()
        assert (table.sum(axis=1) == p).all()
        assert (table.sum(axis=0) == q).all()
        assert len(joint.masses) == np.count_nonzero(table), "no pair twice, nothing that is zero"


def test_greedy_is_what_two_heaps_of_plain_python_give():
    for p, q in itertools.chain(pairs(300, 14), pairs(20, 200)):
        joint = greedy_coupling(p, q)
        assert (joint.dense() == heap_coupling(p, q)).all()
        assert len(joint.masses) <= np.count_nonzero(p) + np.count_nonzero(q) - 1


def test_greedy_is_within_its_bound_of_the_least_entropy():
    rng = np.random.default_rng(7)
    for _ in range(12):
        p, q = random_masses(rng, 3), random_masses(rng, 2)
        least = least_entropy(p, q)
        assert majorisation_bound(p, q) - 1e-9 <= least
        assert least - 1e-9 <= greedy_coupling(p, q).joint_entropy() <= least + NEAR_LEAST + 1e-9


def test_bounds_against_the_meet_hold_and_independence_tells_nothing():
    for p, q in pairs(300, 14):
        bound = majorisation_bound(p, q)
        assert bound - 1e-9 <= greedy_coupling(p, q).joint_entropy() <= bound + np.log2(np.e)
        assert bound - 1e-9 <= cicalese_coupling(p, q).joint_entropy() <= bound + 1 + 1e-9
        assert independent_coupling(p, q).mutual_information() < 1e-6


def test_many_marginals_are_exact_and_two_are_the_greedy_coupling():
    rng = np.random.default_rng(3)
    for _ in range(50):
        rows = [random_masses(rng, rng.integers(1, 9)) for _ in range(3)]
        where, masses = greedy_coupling_of(rows)
        for at, row in enumerate(rows):
            assert (np.bincount(where[:, at], masses, len(row)) == row).all()
        where, masses = greedy_coupling_of(rows[:2])
        table = greedy_coupling(*rows[:2]).dense()
        assert (table[where[:, 0], where[:, 1]] == masses).all()


def test_among_equals_the_lowest_index_goes_first():
    quarters = uniform(4)
    assert (greedy_coupling(quarters, quarters).dense() == np.diag(quarters)).all()
    assert greedy_coupling(uniform(2), quarters).dense().astype(bool).tolist() == [
        [True, False, True, False],
        [False, True, False, True],
    ]


def test_a_conditional_and_a_posterior_are_rows_and_columns_normalised():
    joint = greedy_coupling(np.array([6, 2, 0]), np.array([3, 4, 1]))
    assert joint.conditional(0).tolist() == pytest.approx([1 / 3, 2 / 3, 0])
    assert joint.posterior(0).tolist() == pytest.approx([2 / 3, 1 / 3, 0])
    with pytest.raises(ValueError, match="row 2 has no mass"):
        joint.conditional(2)


def test_threads_that_couple_at_once_get_what_one_gets():
    work = list(pairs(60, 300))

    def whole(_):
        return [greedy_coupling(p, q).masses.tobytes() for p, q in work]

    with ThreadPoolExecutor(4) as pool:
        assert len({tuple(result) for result in pool.map(whole, range(4))}) == 1


@pytest.mark.parametrize(
    ("p", "q", "words"),
    [
        ([1, 2], [2, 2], "sum to 3 and 4"),
        ([-1, 2], [1], "below 0"),
        ([0, 0], [0], "nothing above 0"),
        ([0.5, 0.5], [1], "masses_of"),
        ([[1]], [1], "one row"),
        ([TOTAL, 1], [TOTAL, 1], "more than 2\\*\\*40"),
    ],
)
def test_marginals_that_are_none_are_refused(p, q, words):
    for coupling in COUPLINGS.values():
        with pytest.raises(ValueError, match=words):
            coupling(np.array(p), np.array(q))


def test_masses_sum_to_the_unit_keep_zeros_and_lose_nothing_that_is_positive():
    rng = np.random.default_rng(5)
    for _ in range(200):
        row = rng.dirichlet(np.full(rng.integers(1, 40), 0.05)) * (rng.random() < 0.5 or 1)
        row[row < 1e-9] *= rng.integers(2)
        row /= row.sum()
        masses = masses_of(row)
        assert masses.sum() == TOTAL
        assert ((masses > 0) == (row > 0)).all()
        assert np.abs(masses / TOTAL - row).max() < 50 / TOTAL
    assert masses_of([0.0, 1.0]).tolist() == [0, TOTAL]
    assert masses_of([1.0]).tolist() == [TOTAL]


def test_whole_numbers_are_normalised_as_fractions_of_python_are():
    rng = np.random.default_rng(6)
    for _ in range(200):
        weights = rng.integers(0, 1 << 40, rng.integers(1, 8))
        weights[0] += 1
        whole = [divmod(int(weight) * TOTAL, int(weights.sum())) for weight in weights]
        expected = [quotient for quotient, _ in whole]
        order = sorted(range(len(whole)), key=lambda index: (-whole[index][1], index))
        for index in order[: TOTAL - sum(expected)]:
            expected[index] += 1
        assert normalised(weights).tolist() == expected


def test_units_that_are_left_go_to_the_lowest_index_of_equals():
    assert (uniform(3) - TOTAL // 3).tolist() == [1, 0, 0]
    assert (uniform(7) - TOTAL // 7).tolist() == [1] * (TOTAL % 7) + [0] * (7 - TOTAL % 7)


def test_entropy_is_that_of_a_library_and_exact_where_it_is_whole():
    rng = np.random.default_rng(8)
    for _ in range(100):
        masses = random_masses(rng, rng.integers(1, 50))
        shares = masses[masses > 0] / TOTAL
        assert entropy(masses) == pytest.approx(-(shares * np.log2(shares)).sum(), abs=1e-12)
    assert entropy(uniform(256)) == 8.0
    assert entropy([5]) == 0.0


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ([0.5, 0.6], "sum to 1.1"),
        ([1.5, -0.5], "-0.5"),
        ([np.nan, 1.0], "not finite"),
        ([np.inf, 0.0], "not finite"),
        ([], "at least 1"),
        ([[1.0]], "one row"),
    ],
)
def test_rows_that_are_no_probabilities_are_refused(row, words):
    for call in (masses_of, Grid().weights, Grid().margin):
        with pytest.raises(ValueError, match=words):
            call(row)


def test_what_differs_by_less_than_the_margin_has_the_same_weights_and_by_more_has_not():
    grid, rng = Grid(), np.random.default_rng(9)
    for _ in range(2000):
        row = rng.dirichlet(np.full(rng.integers(1, 7), rng.choice([0.05, 1.0])))
        row[rng.random(len(row)) < 0.1] = 0.0
        row = row / row.sum() if row.sum() else np.eye(len(row))[0]
        weights, margin = grid.weights(row), grid.margin(row)
        assert (weights[row == 0] == 0).all()
        assert weights.sum() > 0
        moved = row + np.where(row > 0, rng.choice([-1, 1], len(row)) * min(margin, 1e-7) * 0.999, 0.0)
        assert (grid.weights(np.maximum(moved, 0.0)) == weights).all()
        nearest = np.abs(row * 1024 - np.floor(row * 1024) - 0.5).argmin()
        over = np.eye(len(row))[nearest] * (margin + 1e-12)
        both = [grid.round(np.maximum(row + sign * over, 0.0))[0] for sign in (-1, 1)]
        assert row[nearest] == 0 or any((other != weights).any() for other in both)


def test_equal_actions_are_far_from_a_boundary_and_many_small_ones_leave_one():
    for actions in range(1, 33):
        assert Grid().margin(np.full(actions, 1 / actions)) > 1e-5
    small = np.full(4000, 1 / 4000)
    small[2], small[3] = small[2] + 1e-6, small[3] - 1e-6
    assert Grid().weights(small).nonzero()[0].tolist() == [2]
    assert 0 < Grid().margin(small) < 5.1e-7
    with pytest.raises(ValueError, match="power of two"):
        Grid(1000)
