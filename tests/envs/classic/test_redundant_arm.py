"""RedundantArm: kinematics, what ends it and what it pays."""

from __future__ import annotations

import numpy as np
import pytest

import envs
from envs.classic.redundant_arm import ANGLES, BASE, SPEEDS, TIP


def arm(angles=None, **arguments):
    venv = envs.make_vec("RedundantArm-v0", 1, report=("position", "area"), **arguments)
    venv.reset()
    if angles is not None:
        venv.states[0, ANGLES:SPEEDS] = angles
        venv.states[0, TIP:] = tip_of(angles)
    return venv


def tip_of(angles):
    """The tip as a sum of complex segments."""
    tip = np.sum(np.exp(1j * (np.pi / 2 + np.cumsum(angles)))) / 20
    return [BASE + tip.real, BASE + tip.imag]


def play(venv, action, steps):
    for _ in range(steps):
        last = venv.step(np.broadcast_to(np.array(action, float), (1, 20)))
    return last


def test_it_starts_rolled_up_where_the_paper_has_it():
    venv = arm()
    np.testing.assert_allclose(venv.states[0, TIP:], [0.3065, 0.6917], atol=5e-5)
    np.testing.assert_allclose(venv.observe()[0], np.linspace(0.2, 0.05, 20), rtol=1e-6)


def test_an_arm_that_is_not_pushed_stays_to_the_end():
    venv = arm()
    start = venv.states[0, TIP:].copy()
    for step in range(100):
        _, _, dones, infos = play(venv, 0, 1)
        assert dones[0] == (step == 99)
        np.testing.assert_allclose(infos[0]["position"], start, atol=1e-12)


def test_joints_are_accelerated_by_half_of_what_is_asked_and_the_tip_follows_from_them():
    venv = arm()
    angles = np.linspace(np.pi / 5, np.pi / 20, 20)
    action = np.linspace(-1, 1, 20)
    infos = play(venv, action, 5)[3]
    substeps = np.arange(1, 11)
    turned = 0.5 * action * 0.01**2 * substeps.sum()  # speed grows by a·dt/2 a substep
    np.testing.assert_allclose(venv.states[0, ANGLES:SPEEDS], angles + turned, rtol=0, atol=1e-12)
    np.testing.assert_allclose(venv.states[0, SPEEDS:TIP], 0.5 * action * 0.01 * 10, rtol=0, atol=1e-10)
    np.testing.assert_allclose(infos[0]["position"], tip_of(angles + turned), rtol=0, atol=1e-12)


HOOK = np.concatenate([np.zeros(7), [2.0], np.full(12, 0.12)])
"""Straight up for seven segments, which end in the wall above, then back in a bow."""


@pytest.mark.parametrize(
    ("angles", "legal"),
    [
        (np.concatenate([[0.2], HOOK[1:]]), True),
        (HOOK, False),
        (np.concatenate([[0.3], np.zeros(19)]), False),  # straight, and out of the box
        (np.full(20, 2.1), False),  # a triangle on itself
        (np.concatenate([[0.2], HOOK[1:7], [-2.0], -HOOK[8:]]), True),  # mirrored, beside the wall
    ],
)
def test_an_illegal_pose_ends_it(angles, legal):
    _, _, dones, infos = play(arm(angles), 0, 1)
    assert dones[0] == (not legal)
    if not legal:
        assert not infos[0]["TimeLimit.truncated"]
        assert infos[0]["position"] == pytest.approx(tip_of(angles))


def test_it_ends_where_it_was_before_the_pose_that_is_illegal():
    """Unrolled at full force, it ends at a wall or the border; until then every pose was legal."""
    venv = arm()
    for _ in range(99):
        before = venv.states[0, TIP:].copy()
        _, rewards, dones, infos = play(venv, np.where(np.arange(20) < 4, 1.0, -1.0), 1)
        if dones[0]:
            break
    assert dones[0]
    assert ((infos[0]["position"] >= 0) & (infos[0]["position"] < 1)).all()
    assert np.linalg.norm(infos[0]["position"] - before) < 0.05
    assert rewards[0] == 0


@pytest.mark.parametrize(("goal", "area"), [((0.25, 0.25), 0), ((0.85, 0.85), 1), ((0.25, 0.90), 2)])
def test_the_tip_is_paid_at_three_goals(goal, area):
    """An arc of constant bend that ends at the goal, but for a hundredth."""
    wanted = np.array(goal) - [0.01, 0] - BASE
    chord, bearing = np.linalg.norm(wanted), np.arctan2(wanted[1], wanted[0])
    low, high = 0.0, 0.3
    for _ in range(60):  # the chord of an arc of 20 segments with bend b: sin(10 b) / (20 sin(b / 2))
        bend = (low + high) / 2
        longer = np.sin(10 * bend) / (20 * np.sin(bend / 2)) > chord
        low, high = (bend, high) if longer else (low, bend)
    first = (bearing - 9.5 * bend - np.pi / 2 + np.pi) % (2 * np.pi) - np.pi
    angles = np.concatenate([[first], np.full(19, bend)])
    assert tip_of(angles) == pytest.approx(np.array(goal) - [0.01, 0], abs=1e-9)
    venv = arm(angles, steps=1)
    _, rewards, dones, infos = play(venv, 0, 1)
    assert dones[0]
    assert rewards[0] == pytest.approx(0.8, abs=1e-5)
    assert infos[0]["area"] == area


def test_goals_are_refused_that_make_no_sense():
    with pytest.raises(ValueError, match="expected 3, one a goal"):
        arm(radii=(0.1,))
    with pytest.raises(ValueError, match="steps=0"):
        arm(steps=0)
