"""RL+PR on a table: it learns to be understood, and is judged as it plays."""

from __future__ import annotations

import numpy as np

from envs.classic.code_grid import HORIZON, code_grid
from scripts.experiments.tabular_sender import Learning, judged, learn


def test_a_sender_learns_two_messages_and_the_way() -> None:
    mdp = code_grid()
    accuracy, paid = judged(mdp, learn(mdp, HORIZON, 2, Learning(weight=0.9, rate=0.5, episodes=10_000), seed=1))
    np.testing.assert_allclose((accuracy, paid), 1.0)


def test_who_has_learned_nothing_tells_nothing() -> None:
    mdp = code_grid()
    accuracy, paid = judged(mdp, np.zeros((HORIZON, mdp.n_states, 4, mdp.n_actions)))
    np.testing.assert_allclose(accuracy, 0.25)
    assert 0 < paid < 0.5


def test_the_seed_decides() -> None:
    mdp = code_grid()
    first, again, other = (learn(mdp, HORIZON, 4, Learning(episodes=200), seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
