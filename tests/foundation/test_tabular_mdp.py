"""A tabular MDP is refused where it is none."""

from __future__ import annotations

import numpy as np
import pytest

from foundation.tabular_mdp import TabularMDP


def arrays(**changed):
    transitions = np.zeros((3, 2, 3))
    transitions[0, 0, 1] = transitions[0, 1, 0] = transitions[1, :, 2] = transitions[2, :, 2] = 1.0
    rewards = np.zeros((3, 2))
    rewards[1] = 1.0
    made = {
        "transitions": transitions,
        "rewards": rewards,
        "gamma": 0.9,
        "start": np.array([1.0, 0, 0]),
        "absorbing": (2,),
    }
    return made | changed


def test_a_whole_one_is_taken():
    mdp = TabularMDP(**arrays())
    assert (mdp.n_states, mdp.n_actions) == (3, 2)


def spoilt(name, index, value):
    array = arrays()[name].copy()
    array[index] = value
    return {name: array}


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (spoilt("transitions", (0, 1, 0), 0.8), "state 0 and action 1 sum to 0.8"),
        (spoilt("transitions", (0, 1, 0), np.nan), "transitions has a number that is not finite"),
        (spoilt("transitions", (0, 1), [1.5, -0.5, 0]), "below 0"),
        (spoilt("rewards", (2, 0), 1.0), "absorbing state 2 pays"),
        (spoilt("rewards", (0, 0), np.inf), "rewards has a number"),
        (spoilt("start", 0, 0.5), "first states sum to 0.5"),
        ({"absorbing": (1,)}, "state 1 is called absorbing, and is left"),
        ({"absorbing": (7,)}, "none of the 3 states"),
        ({"available": np.ones((3, 2))}, "available is float64"),
        ({"available": np.array([[True, True], [False, False], [True, True]])}, "no action is available in state 1"),
        ({"gamma": 1.5}, "gamma=1.5"),
        ({"start": np.ones(2) / 2}, "start is"),
        ({"rewards": np.zeros((3, 3))}, "transitions are"),
        ({"rewards": np.zeros(3)}, "transitions are"),
    ],
)
def test_what_is_no_mdp_is_refused(changed, message):
    with pytest.raises(ValueError, match=message):
        TabularMDP(**arrays(**changed))
