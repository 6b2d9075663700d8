"""Cells, and the process on them that steps make likely."""

from __future__ import annotations

import numpy as np
import pytest

from foundation.tabular_mdp import solve
from shaping.designed import Bins, Steps, estimated


def steps(*rows):
    """Rows (cell, action, reward, following, terminated)."""
    cells, actions, rewards, following, terminated = (np.array(column) for column in zip(*rows, strict=True))
    return Steps(cells, actions, rewards.astype(float), following, terminated.astype(bool))


def test_cells_are_counted_with_the_last_dimension_fastest_and_hold_what_lies_outside():
    bins = Bins((0.0, -1.0), (1.0, 1.0), (4, 2))
    rows = np.array([[0.0, -1.0], [0.0, 0.0], [0.25, -0.1], [0.99, 1.0], [-3.0, 9.0], [1.0, 1.0]])
    assert bins.cells(rows).tolist() == [0, 1, 2, 7, 1, 7]
    assert bins.size == 8
    assert bins.places()[3] == (1, 1)


def test_shares_and_means_of_steps_are_the_process():
    bins = Bins((0.0,), (1.0,), (2,))
    batches = [
        steps((0, 0, 0.0, 0, False), (0, 0, 1.0, 1, False), (0, 0, 2.0, 1, False), (0, 0, 1.0, 1, False)),
        steps((1, 1, 6.0, 1, True), (1, 1, 4.0, 0, False)),
    ]
    estimate = estimated(bins, 2, batches, [0, 0, 1, 0], 0.9)
    mdp = estimate.mdp
    assert mdp.transitions[0, 0].tolist() == [0.25, 0.75, 0.0]
    assert mdp.transitions[1, 1].tolist() == [0.5, 0.0, 0.5]
    assert mdp.rewards.tolist() == [[1.0, 0.0], [0.0, 5.0], [0.0, 0.0]]
    assert mdp.start.tolist() == [0.75, 0.25, 0.0]
    assert mdp.absorbing == (2,)
    assert estimate.untried == 2
    assert mdp.transitions[0, 1].tolist() == [1.0, 0.0, 0.0], "what nobody tried stays where it is"
    assert solve(mdp).policy[:2].tolist() == [0, 1]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Bins((0.0,), (1.0, 2.0), (3,)), "one of each for every dimension"),
        (lambda: Bins((), (), ()), "one of each for every dimension"),
        (lambda: Bins((1.0,), (1.0,), (3,)), "the lower one first"),
        (lambda: Bins((-np.inf,), (1.0,), (3,)), "two finite numbers"),
        (lambda: Bins((0.0,), (1.0,), (0,)), "bins=0"),
        (lambda: Bins((0.0,), (1.0,), (3,)).cells(np.zeros((2, 2))), r"for \(n, 1\)"),
        (lambda: estimated(Bins((0.0,), (1.0,), (3,)), 2, [], [0], 0.9), "no steps"),
    ],
)
def test_what_makes_no_sense_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
