"""Events pay what they say, when they say, and show in the observation."""

from __future__ import annotations

import numpy as np
import pytest

import envs
from shaping import ShapedVecEnv, make_term
from tests.shaping.worlds import corridors

BACK_AND_FORTH = [1, 0, 1, 1, 1]  # cells 1 0 1 2 3 of length 6


def shaped(n=1, length=6, **arguments):
    term = make_term("events", **arguments)
    return ShapedVecEnv(corridors(n, length=length), {"events": term}, gamma=0.99)


def paid(actions, **arguments):
    venv = shaped(**arguments)
    venv.reset()
    return [venv.step([action])[3][0]["reward_terms"]["events"] for action in actions]


def test_an_event_pays_once_an_episode():
    assert paid(BACK_AND_FORTH, events=["left_start", "middle"]) == [1, 0, 0, 0, 1]


def test_an_event_pays_each_time_when_asked():
    assert paid(BACK_AND_FORTH, events=["left_start", "middle"], once=False, rewards={"middle": 3.0}) == [1, 0, 1, 0, 3]


def test_ordered_events_pay_only_after_those_before_them():
    assert paid(BACK_AND_FORTH, events=["middle", "left_start"], ordered=True) == [0, 0, 0, 0, 1]
    assert paid(BACK_AND_FORTH, events=["left_start", "middle"], ordered=True) == [1, 0, 0, 0, 1]


def test_predicates_are_events_too():
    term = make_term("events", predicates={"right": lambda batch: np.asarray(batch.actions) == 1}, once=False)
    assert term.requires == frozenset()
    venv = ShapedVecEnv(corridors(2), {"events": term}, gamma=0.99)
    venv.reset()
    infos = venv.step(np.array([1, 0]))[3]
    assert [info["reward_terms"]["events"] for info in infos] == [1.0, 0.0]


def test_achieved_bits_are_observed_and_fall_back_at_reset_but_not_in_the_terminal_observation():
    venv = shaped(n=2, length=3, events=["left_start", "middle"])  # both in cell 1
    assert set(venv.observation_space.spaces) == {"observation", "events"}
    first = venv.reset()
    assert first["events"].tolist() == [[0, 0], [0, 0]]
    second = venv.step(np.array([1, 0]))[0]
    assert second["events"].tolist() == [[1, 1], [0, 0]]
    third, _, dones, infos = venv.step(np.array([1, 1]))
    assert dones.tolist() == [True, False]
    assert infos[0]["terminal_observation"]["events"].tolist() == [1, 1]
    assert infos[0]["terminal_observation"]["observation"].tolist() == [0, 0, 1]
    assert third["events"].tolist() == [[0, 0], [1, 1]]
    assert second["events"].tolist() == [[1, 1], [0, 0]], "what was handed out is never written to"
    assert venv.observation_space["events"].contains(third["events"][0])


@pytest.mark.parametrize("asked", [{}, {"report": ("events",)}, {"report": ("events",), "events": ("deeper_level",)}])
@pytest.mark.parametrize("name", ["events", "calm"])
def test_an_environment_that_was_not_asked_for_the_events_is_refused_with_what_to_ask(name, asked):
    """Otherwise the term would pay nothing, and nobody would see why."""
    events = ["picked_up_key", "opened_trapdoor"]
    arguments = {
        "events": {"events": events},
        "calm": {"detector": "symbolic", "subgoals": {"take the key": events[0], "open the trapdoor": events[1]}},
    }[name]
    with pytest.raises(ValueError, match=r"not asked to detect picked_up_key, opened_trapdoor: make it with report="):
        ShapedVecEnv(quest(**asked), {name: make_term(name, **arguments)}, gamma=0.9)
    ShapedVecEnv(quest(report=("events",), events=events), {name: make_term(name, **arguments)}, gamma=0.9)


def quest(**asked):
    return envs.make_vec("breadcrumb/CaptionQuest-v0", 2, seed=0, **asked)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "events is empty"),
        ({"events": "middle"}, "list of names"),
        ({"events": ["a", "a"]}, "more than once"),
        ({"events": ["middle"], "rewards": {"midle": 1.0}}, "Did you mean middle"),
        ({"events": ["a"], "rewards": {"a": float("nan")}}, "finite"),
        ({"events": ["a"], "ordered": True, "once": False}, "ordered"),
    ],
)
def test_bad_events_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        make_term("events", **arguments)
