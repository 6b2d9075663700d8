"""Rewards that the environment tells apart by name."""

from __future__ import annotations

import numpy as np
import pytest

from shaping import RewardTermError, ShapedVecEnv, Transitions, WeightedSum, make_term
from tests.shaping.worlds import corridors


def batch(*reported):
    n, nothing = len(reported), np.zeros(len(reported))
    infos = [{} if channels is None else {"reward_channels": channels} for channels in reported]
    return Transitions(nothing, nothing, nothing, nothing, np.zeros(n, bool), np.zeros(n, bool), infos)


def test_channels_are_paid_raw_side_by_side_and_one_left_out_is_0():
    term = make_term("channels", names=["format", "edit"])
    values = term(batch({"format": 0.1, "edit": -2}, {"edit": True}, {}))
    assert values.tolist() == [[0.1, 0.0, 0.0], [-2.0, 1.0, 0.0]]


def test_several_terms_share_an_environments_channels():
    known = ["right", "moved"]
    terms = {name: make_term("channels", names=[name], known=known) for name in known}
    venv = ShapedVecEnv(corridors(2), terms, combiner=WeightedSum({"moved": 2.0, "right/right": 0.5}), gamma=0.9)
    venv.reset()
    _, rewards, _, infos = venv.step([1, 0])
    assert infos[0]["reward_terms"] == {"task": 0.0, "right/right": 0.5, "moved/moved": 2.0}
    assert rewards.tolist() == [2.5, -0.5]


@pytest.mark.parametrize(
    ("reported", "says"),
    [
        (
            {"edti": 1.0},
            r"environment 1 reports the reward channel 'edti'.* Did you mean edit\? Known are format, edit",
        ),
        ({"edit": float("nan")}, r"environment 1 reports the reward channel 'edit' as nan.*finite.*Known are format"),
        ({"format": -float("inf")}, r"environment 1 .*'format' as -inf"),
        ({"format": "much"}, r"environment 1 .*'format' as 'much'"),
        ({"format": None}, r"environment 1 .*'format' as None"),
        (None, r"environment 1 gave None as info\['reward_channels'\].*a mapping of channel to number"),
        ([0.1, 0.2], r"environment 1 gave \[0\.1, 0\.2\]"),
    ],
)
def test_what_is_unknown_or_no_number_is_an_error_that_says_where(reported, says):
    term = make_term("channels", names=["format", "edit"])
    with pytest.raises(RewardTermError, match=says):
        term(batch({}, reported))


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({}, "names is empty"),
        ({"names": "format"}, r"write \[format\]"),
        ({"names": ["format", "format"]}, "names holds format more than once"),
        ({"names": ["format", ""]}, "names holds ''; a channel has a name"),
        (
            {"names": ["fromat"], "known": ["format", "edit"]},
            r"'fromat', which is no channel here. Did you mean format",
        ),
    ],
)
def test_names_that_cannot_be_meant_are_refused(arguments, says):
    with pytest.raises(ValueError, match=says):
        make_term("channels", **arguments)
