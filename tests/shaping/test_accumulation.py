"""Sums, gates, potentials: the numbers of the formulas."""

from __future__ import annotations

import numpy as np
import pytest
from gymnasium import spaces

from shaping import Episode, RewardTermError, Setting, ShapedVecEnv, WeightedSum, make_term
from shaping.accumulation import Direct, Gated, OutcomeOnly, SignalPotential
from tests.shaping.worlds import corridors

SIGNALS = ("task", "critic/format", "critic/edit", "progress")
TURNS = {
    "task": [0.0, 0.0, 0.0, 1.0],
    "critic/format": [0.1, 0.1, -0.2, 0.1],
    "critic/edit": [0.0, 0.5, 0.0, 0.0],
    "progress": [0.2, 0.0, 0.2, 0.0],
}
LOW = np.array([0.1, 0.6, -0.2, 0.1])


def bound(transform, signals=SIGNALS, gamma=1.0, bootstraps=True):
    space = spaces.Box(0, 1, (1,), np.float32)
    transform.bind(Setting(1, space, spaces.Discrete(2), gamma, 0, None, signals, bootstraps))
    return transform


def episode(signals=TURNS, ending="terminated", gamma=1.0, weights=None, **given):
    values = {name: np.array(given.get(name, row), float) for name, row in signals.items()}
    length = len(next(iter(values.values())))
    weighted = {name: np.full(length, (weights or {}).get(name, 1.0)) for name in values}
    return Episode(values, weighted, np.zeros(length), ending, {}, gamma)


def sum_of(*names):
    return np.sum([TURNS[name] for name in names], axis=0)


def gated(levels=(("task",), ("critic",), ("progress",)), release="retroactive", **arguments):
    return bound(Gated([list(level) for level in levels], release=release, **arguments))


TWO = (("task",), ("*",))

# Gates --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("outcome", "gates", "gate_op", "paid"),
    [
        (1.0, [0.5, 0.6], ">=", ["critic", "progress"]),  # format and edit come to 0.6, exactly
        (1.0, [0.5, 0.6], ">", ["critic"]),
        (1.0, [1.0, 0.0], ">=", ["critic", "progress"]),
        (1.0, [1.0, 0.0], ">", []),
        (0.0, [0.5, 0.0], ">=", []),  # a closed gate closes all below, whatever stands between
        (0.0, [0.0, 0.7], ">=", ["critic"]),
        (-1.0, [], ">=", []),
        (0.0, [], ">=", ["critic", "progress"]),  # gates are 0 unless said
    ],
)
def test_a_level_counts_where_every_higher_one_reached_its_gate(outcome, gates, gate_op, paid):
    expected = np.array([0, 0, 0, outcome], float)
    expected += sum(LOW if name == "critic" else np.array(TURNS[name]) for name in paid)
    wanted = gated(gates=gates, gate_op=gate_op)(episode(task=[0, 0, 0, outcome]))
    np.testing.assert_allclose(wanted, expected, atol=1e-12)


def test_a_sum_of_tenths_reaches_a_gate_of_one():
    ones = {"task": np.zeros(10), "critic": np.full(10, 0.1), "format": np.ones(10)}
    assert np.cumsum(ones["critic"])[-1] < 1.0, "step by step it would not"
    gate = bound(Gated([["critic"], ["format"], ["task"]], gates=[1.0, 0.0], release="retroactive"), tuple(ones))
    assert gate(episode(ones)).sum() == pytest.approx(11.0)


def test_gates_look_at_raw_signals_and_weights_at_what_is_paid():
    weights = {"task": 100.0, "critic/format": 2.0, "critic/edit": 2.0, "progress": 0.0}
    closed = gated(TWO, gates=[1.5])(episode(weights=weights))
    assert closed.tolist() == [0, 0, 0, 100]
    opened = gated(TWO, gates=[1.0])(episode(weights=weights))
    np.testing.assert_allclose(opened, 2 * LOW + np.array([0, 0, 0, 100]))


def test_a_closed_gate_takes_fines_too_unless_it_is_told_not_to():
    failed = episode(task=[0, 0, 0, -1])
    assert gated(TWO)(failed).tolist() == [0, 0, 0, -1]
    assert gated(TWO, gate_penalties=False)(failed).tolist() == [0, 0, 0, -1]  # 0.2 − 0.2 is no fine
    fined = gated(gate_penalties=False)(failed)
    np.testing.assert_allclose(fined, [0, 0, -0.2, -1])
    np.testing.assert_allclose(gated(gate_penalties=False)(episode()), gated()(episode()), err_msg="where it is open")


def test_a_cap_bounds_each_lower_level_and_an_average_is_over_the_steps():
    capped = gated(low_cap=0.25)(episode())
    # the critic comes to 0.1, 0.7, 0.5, 0.6 and progress to 0.2, 0.2, 0.4, 0.4
    np.testing.assert_allclose(capped, np.array([0.1, 0.15, 0, 1]) + np.array([0.2, 0, 0.05, 0]), atol=1e-12)
    assert capped.sum() == pytest.approx(1.0 + 2 * 0.25)
    np.testing.assert_allclose(
        gated(low_average=True)(episode()), np.array(TURNS["task"]) + (LOW + TURNS["progress"]) / 4
    )
    both = gated(low_average=True, low_cap=0.11)(episode())
    assert both.sum() == pytest.approx(1.0 + 0.11 + 0.1)
    assert gated(low_cap=9.0)(episode()).sum() == pytest.approx(2.0), "a cap that is not reached"


@pytest.mark.parametrize(("outcome", "factor"), [(1.0, 1.5), (0.0, 0.5), (-0.5, 0.0), (-1.0, 0.0)])
def test_a_multiplicative_gate_pays_low_times_outcome(outcome, factor):
    wanted = gated(TWO, gates=[-0.5], gate_op="multiply")(episode(task=[0, 0, 0, outcome]))
    np.testing.assert_allclose(wanted, np.array([0, 0, 0, outcome]) + factor * (LOW + TURNS["progress"]), atol=1e-12)


def test_multipliers_of_several_levels_multiply():
    wanted = gated(gates=[0.5, 0.1], gate_op="multiply")(episode())
    np.testing.assert_allclose(wanted, TURNS["task"] + 0.5 * LOW + 0.25 * np.array(TURNS["progress"]))


@pytest.mark.parametrize("ending", ["terminated", "truncated"])
def test_an_end_by_time_is_an_end_and_a_cut_is_none(ending):
    assert gated(TWO)(episode(ending=ending)).sum() == pytest.approx(2.0)
    for transform in (gated(TWO), gated(TWO, release="terminal"), bound(Direct(release="terminal"))):
        assert transform(episode(ending="cut")) is None


def test_episodes_of_one_step_and_of_none():
    one = {name: row[-1:] for name, row in TURNS.items()}
    none = {name: [] for name in TURNS}
    for release in ("terminal", "retroactive"):
        for arguments in ({}, {"low_average": True}, {"low_cap": 0.05}, {"gate_op": "multiply"}):
            transform = gated(TWO, release=release, **arguments)
            assert transform(episode(one)) == pytest.approx([1.05 if "low_cap" in arguments else 1.1])
            assert transform(episode(none)).shape == (0,)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"levels": [["task"]]}, "a gate needs two"),
        ({"levels": [["task"], ["critic"]]}, "progress stand in no level.*'\\*'"),
        ({"levels": [["tsk"], ["*"]]}, "level 1 is given for 'tsk'.*Did you mean task"),
        ({"levels": [["task"], ["x*"]]}, "level 2 is given for 'x\\*', which matches no signal"),
        ({"levels": [["*"], ["task"]]}, "level 2 is left without a signal"),
        ({"levels": [["task"], []]}, "level 2 names no signal"),
        ({"levels": ["task", "*"]}, r"write \[task\]"),
        ({"gates": [0.0, 1.0]}, "gates has 2 numbers for 2 levels; give 1"),
        ({"gates": [float("nan")]}, "gate 1=nan"),
        ({"gate_op": "<"}, "gate_op='<': expected one of >=, >, multiply"),
        ({"low_cap": 0.0}, "low_cap=0.0: expected a number above 0"),
        ({"release": "per_step"}, "release='per_step': expected one of retroactive, terminal"),
        ({"release": "retroactive", "discount_correct": True}, "discount_correct=true is for release=terminal"),
    ],
)
def test_gates_that_cannot_be_are_refused(arguments, says):
    with pytest.raises(ValueError, match=says):
        bound(Gated(**arguments))


# Release ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [Gated, Direct, OutcomeOnly])
def test_a_terminal_release_keeps_the_sum_and_a_corrected_one_the_discounted_return(make):
    gamma = 0.9
    at_steps = bound(Gated(release="retroactive") if make is Gated else make(), gamma=gamma)(episode(gamma=gamma))
    released = bound(make(release="terminal"), gamma=gamma)(episode(gamma=gamma))
    assert released[:-1].tolist() == [0, 0, 0]
    assert released[-1] == pytest.approx(at_steps.sum())
    corrected = bound(make(release="terminal", discount_correct=True), gamma=gamma)(episode(gamma=gamma))
    assert corrected[:-1].tolist() == [0, 0, 0]
    discounts = gamma ** np.arange(4)
    assert corrected @ discounts == pytest.approx(at_steps @ discounts)


def test_a_correction_that_blows_up_is_an_error():
    long = {name: np.ones(3000) for name in TURNS}
    transform = bound(Direct(release="terminal", discount_correct=True), gamma=0.97)
    with pytest.raises(RewardTermError, match=r"0\.97\*\*-2999 in an episode of 3000 steps"):
        transform(episode(long, gamma=0.97))
    with pytest.raises(ValueError, match="gamma, which is 0"):
        bound(Direct(release="terminal", discount_correct=True), gamma=0.0)


# The others ---------------------------------------------------------------------------------------


def test_direct_accumulation_is_the_sum_of_all_and_outcome_only_of_the_outcome():
    everything = sum_of(*SIGNALS)
    for ending in ("terminated", "truncated", "cut"):
        np.testing.assert_allclose(bound(Direct())(episode(ending=ending)), everything)
        np.testing.assert_allclose(bound(OutcomeOnly())(episode(ending=ending)), TURNS["task"])
    two = bound(OutcomeOnly(["task", "critic/e*"]))
    np.testing.assert_allclose(two(episode()), sum_of("task", "critic/edit"))


@pytest.mark.parametrize("gamma", [1.0, 0.9])
def test_a_potential_telescopes_to_0_at_termination_and_to_its_last_value_at_truncation(gamma):
    discounts = gamma ** np.arange(4)
    phi = np.cumsum(LOW)
    transform = bound(SignalPotential(["critic"]), gamma=gamma)
    rest = sum_of("task", "progress")
    ended = transform(episode(gamma=gamma)) - rest
    np.testing.assert_allclose(ended, gamma * np.append(phi[:-1], 0) - np.append(0, phi[:-1]), atol=1e-12)
    assert ended @ discounts == pytest.approx(0.0, abs=1e-12)
    truncated = transform(episode(gamma=gamma, ending="truncated")) - rest
    assert truncated @ discounts == pytest.approx(gamma**4 * phi[-1])
    alone = bound(SignalPotential(["critic"]), gamma=gamma, bootstraps=False)  # an agent that does not go on with V(s')
    truncated = alone(episode(gamma=gamma, ending="truncated")) - rest
    assert truncated @ discounts == pytest.approx(0.0, abs=1e-12)


def test_a_potential_of_a_signal_that_is_itself_the_states_worth():
    shares = [0.0, 0.5, 0.25, 1.0]
    transform = bound(SignalPotential(["progress"], form="value"), gamma=0.5)
    wanted = transform(episode(gamma=0.5, progress=shares)) - sum_of("task", "critic/format", "critic/edit")
    np.testing.assert_allclose(wanted, [0.0, 0.25 - 0.0, 0.125 - 0.5, 0.0 - 0.25], atol=1e-12)


def test_a_potential_of_nothing_but_the_outcome_is_refused():
    with pytest.raises(ValueError, match="only the outcome is left"):
        bound(SignalPotential(["task"]))
    with pytest.raises(ValueError, match="a potential is given for 'edit'"):
        bound(SignalPotential(["edit"]))


# Metrics ------------------------------------------------------------------------------------------


def test_metrics_are_of_the_last_episodes_and_outlive_a_resume():
    transform = gated(gates=[0.5, 0.0])
    assert transform.update(()) == {}
    transform(episode())
    transform(episode(task=[0, 0, 0, -1]))
    transform(episode(ending="cut"))
    expected = {"outcome": 0.0, "masked": 0.5 * (0.6 + 0.4), "gate_1_open": 0.5, "gate_2_open": 1.0}
    assert transform.update(()) == pytest.approx(expected)
    resumed = gated(gates=[0.5, 0.0])
    resumed.load_state_dict(transform.state_dict())
    assert resumed.update(()) == pytest.approx(expected)
    for _ in range(100):
        transform(episode())
    assert transform.update(())["outcome"] == 1.0
    capped = gated(low_cap=0.25)
    capped(episode())
    assert capped.update(())["masked"] == pytest.approx(0.6 + 0.4 - 2 * 0.25)


@pytest.mark.parametrize(
    ("make", "masked"), [(Direct, 0.0), (OutcomeOnly, 1.0), (lambda: SignalPotential(["critic"]), 0.6)]
)
def test_the_others_tell_the_outcome_and_what_they_left_out(make, masked):
    transform = bound(make())
    transform(episode())
    assert transform.update(()) == pytest.approx({"outcome": 1.0, "masked": masked})


def test_metrics_reach_those_of_the_environment():
    terms = {"channels": make_term("channels", names=["right", "moved"])}
    venv = ShapedVecEnv(
        corridors(1, length=4),
        terms,
        combiner=WeightedSum(withheld=["channels"]),
        episode=Gated(gates=[0.5]),
        gamma=0.9,
    )
    venv.reset()
    for _ in range(3):
        venv.step([1])
    venv.update_terms()
    (change,) = venv.pay_changes()
    assert change.deltas == pytest.approx([0, 0, 6])
    metrics = venv.update_terms()
    assert metrics == {"episode/outcome": 1.0, "episode/masked": 0.0, "episode/gate_1_open": 1.0}
