"""EXPRD chooses as the published code does, and its optima are optima."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import sparse

from envs.classic.line_key import line_key
from envs.classic.room import room
from foundation.tabular_mdp import solve
from shaping.designed import Infeasible, Measure, exprd, informativeness, invariance_only, pbrs, structure
from shaping.designed.structures import each, groups, rectangles
from tests.shaping.worlds import corridor_table

ROOM = room("2021")


def test_three_states_of_the_room_are_those_of_the_paper_with_its_informativeness():
    result = exprd(ROOM, 3)
    assert result.states == (48, 0, 15, 9)
    assert result.objective == pytest.approx(-0.084177, abs=1e-5)
    assert result.informativeness == pytest.approx(result.objective, abs=1e-6)
    assert result.invariance.holds
    paying = np.flatnonzero(np.abs(result.rewards).max(axis=1) > 1e-9)
    assert set(paying) <= set(result.states)
    assert np.abs(result.rewards).max() <= 10.0 + 1e-7


def test_all_states_tell_all_that_can_be_told_and_none_what_the_task_tells():
    assert exprd(ROOM, None).informativeness == pytest.approx(0.0, abs=1e-9)
    alone = exprd(ROOM, 0)
    assert alone.states == (48,)
    assert alone.informativeness == pytest.approx(-0.155733, abs=1e-6)


def test_the_first_state_chosen_is_the_best_of_all_single_ones():
    mdp = corridor_table(6)
    measure = Measure((1, 2))
    chosen = exprd(mdp, 1, measure=measure)
    tried = {state: exprd(mdp, 1, measure=measure, candidates=[state]).objective for state in range(4)}
    best = max(tried.values())
    assert chosen.objective == pytest.approx(best)
    assert chosen.states[1] == min(state for state, value in tried.items() if value > best - 1e-9)


@pytest.mark.parametrize(
    "measure",
    [
        Measure((1, 4)),
        Measure((1, 4), "h"),
        Measure((1, 4), link="linear"),
        Measure((1, 4), link="exp"),
        Measure((1, 4), over="sum", gap="action"),
        Measure((1, 4), link="exp", over="sum"),
    ],
    ids=str,
)
def test_no_invariant_reward_is_more_informative_than_the_design(measure):
    mdp = line_key()
    result = exprd(mdp, None, measure=measure)
    assert result.objective == pytest.approx(result.informativeness, abs=1e-5)
    assert result.invariance.holds
    random = np.random.default_rng(0)
    for _ in range(20):
        other = pbrs(mdp, solve(mdp).values * random.uniform(0, 1.2) + random.normal(size=21) * 0.2)
        other[20] = 0.0
        if np.abs(other).max() <= 10.0:
            assert informativeness(mdp, other, measure) <= result.objective + 1e-6
    assert informativeness(mdp, mdp.rewards, measure) <= result.objective + 1e-6


def test_a_price_on_reward_buys_less_of_it():
    mdp = line_key()
    free, dear = exprd(mdp, None), exprd(mdp, None, l1=1e-3)
    assert np.abs(dear.rewards).sum() < np.abs(free.rewards).sum()
    paid = dear.informativeness - 1e-3 * np.abs(dear.rewards).sum()
    assert dear.objective == pytest.approx(paid, abs=1e-6)
    assert dear.objective >= informativeness(mdp, mdp.rewards) - 1e-3 * 10.0 - 1e-9


def test_a_price_on_distance_spreads_the_states():
    mdp = corridor_table(8)
    spread = exprd(mdp, 1, facility=1.0)
    assert spread.states == (6, 1)  # 0 and 1 to 1, 2 to 3: fewest moves to the nearest, and to 6
    moves = {state: sum(min(abs(s - 6), abs(s - state)) for s in range(7)) for state in range(6)}
    assert moves[spread.states[1]] == min(moves.values())


def test_a_reward_of_states_alone_pays_every_action_alike():
    mdp = corridor_table(5)
    result = exprd(mdp, None, state_only=True, r_max=2.0)
    assert (result.rewards == result.rewards[:, :1]).all()
    assert result.invariance.holds


def test_two_targets_both_stay_the_best_and_their_informativeness_is_the_mean():
    mdp = room("2024")
    solution = solve(mdp)
    other = np.array([np.flatnonzero(best)[-1] for best in solution.best])
    assert (other != solution.policy).any()
    result = exprd(mdp, None, policies=[solution.policy, other], measure=Measure((1, 4)))
    assert result.invariance.holds
    alone = [
        exprd(mdp, None, policies=[policy], measure=Measure((1, 4))).objective for policy in (solution.policy, other)
    ]
    assert result.objective <= np.mean(alone) + 1e-7


def test_structures_group_the_states_that_they_say():
    mdp = room("2024")
    blocks = rectangles(mdp, [(0, 2, 0, 2)])
    assert blocks == [(0, 1, 2, 7, 8, 9, 14, 15, 16)]
    features = structure("room_blocks", mdp)
    assert features.shape == (200, 40)
    sizes = np.asarray(features.sum(axis=0)).ravel()
    assert sizes.tolist() == [9.0] * 36 + [1.0] * 4
    tree = structure("line_key_tree", line_key())
    assert tree.shape == (63, 15)
    assert np.asarray(tree.sum(axis=1)).ravel().tolist() == [1.0] * 60 + [0.0] * 3
    assert each(mdp).shape == (200, 196)


@pytest.mark.parametrize(("mdp", "name"), [(room("2024"), "room_blocks"), (line_key(), "line_key_tree")])
def test_what_overlaps_adds_up_and_stays_within_the_bound(mdp, name):
    features = structure(name, mdp)
    for result in (exprd(mdp, None, features=features), invariance_only(mdp, features)):
        assert result.invariance.holds
        assert np.abs(result.rewards).max() <= 10.0 + 1e-6
        weights = np.linalg.lstsq(features.toarray(), result.rewards.ravel(), rcond=None)[0]
        np.testing.assert_allclose(features @ weights, result.rewards.ravel(), atol=1e-6)


def test_a_budget_ends_early_once_nothing_is_left_to_tell():
    mdp = corridor_table(5)
    result = exprd(mdp, 3, measure=Measure((1,)))
    assert len(result.states) <= 4
    assert result.informativeness == pytest.approx(0.0, abs=1e-9) or len(result.states) == 4


MDP = corridor_table(5)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: exprd(MDP, 4), "budget=4 is more than the 3 states"),
        (lambda: exprd(MDP, -1), "budget=-1"),
        (lambda: exprd(MDP, 1, candidates=[]), "no state to choose from"),
        (lambda: exprd(MDP, 1, candidates=[3, 4]), "no state to choose from"),
        (lambda: exprd(MDP, 1, candidates=[7]), "candidate 7"),
        (lambda: exprd(MDP, 1, r_max=0.0), "r_max=0"),
        (lambda: exprd(MDP, 1, l1=-1.0), "l1=-1"),
        (lambda: exprd(MDP, 1, facility=-1.0), "facility=-1"),
        (lambda: exprd(MDP, 1, features=each(MDP)), "give no budget"),
        (lambda: exprd(MDP, None, features=each(corridor_table(6))), "the structure is"),
        (lambda: structure("blocks", MDP), "there is no structure 'blocks'"),
        (lambda: structure("room_blocks", MDP), "is for 50 states and 4 actions"),
        (lambda: groups(MDP, [()]), "a group of states"),
        (lambda: rectangles(replace(MDP, places=()), [(0, 1, 0, 1)]), "needs a map"),
        (lambda: rectangles(MDP, [(8, 9, 0, 0)]), "holds no state"),
        (lambda: exprd(replace(MDP, gamma=1.0), 1), "never ends"),
    ],
)
def test_what_makes_no_sense_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_a_structure_that_no_invariant_reward_fits_is_refused_with_what_to_change():
    first = groups(MDP, [(0,)])  # cell 0 alone: going right never comes back to it, so nothing tells in cell 2
    for call in (
        lambda: exprd(MDP, None, features=first),
        lambda: invariance_only(MDP, first),
        lambda: exprd(MDP, 1, r_max=1e-3),
    ):
        with pytest.raises(Infeasible, match="give a larger r_max, more states, or a structure with more columns"):
            call()


def test_a_structure_that_pays_in_absorbing_states_is_refused():
    with pytest.raises(ValueError, match="absorbing states"):
        exprd(MDP, None, features=sparse.csc_array(np.ones((10, 1))))
