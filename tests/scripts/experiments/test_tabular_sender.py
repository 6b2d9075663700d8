"""RL+PR on a table: it learns to be understood, and is judged as it plays."""

from __future__ import annotations

import numpy as np
import pytest

from envs.classic.code_grid import HORIZON, code_grid
from scripts.experiments.tabular_sender import Learned, Learning, judged, learn


@pytest.mark.parametrize("receiver", [None, 0.1])
def test_a_sender_learns_two_messages_and_the_way(receiver: float | None) -> None:
    mdp = code_grid()
    learning = Learning(weight=0.7, rate=0.5, receiver=receiver, episodes=20_000)
    accuracy, paid = judged(mdp, learn(mdp, HORIZON, 2, learning, seed=1))
    np.testing.assert_allclose((accuracy, paid), 1.0)


def test_who_has_learned_nothing_tells_nothing() -> None:
    mdp = code_grid()
    accuracy, paid = judged(mdp, Learned(np.zeros((HORIZON, mdp.n_states, 4, mdp.n_actions)), np.zeros((0, 4))))
    np.testing.assert_allclose(accuracy, 0.25)
    assert 0 < paid < 0.5


def test_the_seed_decides() -> None:
    mdp = code_grid()
    first, again, other = (learn(mdp, HORIZON, 4, Learning(episodes=200), seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.q, again.q)
    assert (first.q != other.q).any()
