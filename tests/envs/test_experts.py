"""Experts that need no training play their tasks well."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import envs

KEYS = ("glyphs", "blstats", "inv_glyphs")


def returns(env_id: str, episodes: int, *, name: str | None = None, n_envs: int = 10, **kwargs: Any) -> list[float]:
    """What an expert's episodes pay; the first `episodes` / `n_envs` of every row."""
    venv = envs.make_vec(env_id, n_envs, seed=300, **kwargs)
    experts = envs.experts(env_id)
    expert = experts[name or next(iter(experts))](venv)
    observations, starts = venv.reset(), np.ones(n_envs, np.bool_)
    sums, done_with = np.zeros(n_envs), [[] for _ in range(n_envs)]  # type: ignore[var-annotated]
    while min(len(each) for each in done_with) < episodes // n_envs:
        observations, rewards, starts, _ = venv.step(expert(observations, starts))
        sums += rewards
        for row in np.flatnonzero(starts):
            done_with[row].append(float(sums[row]))
            sums[row] = 0.0
    venv.close()
    return [value for each in done_with for value in each[: episodes // n_envs]]


@pytest.mark.parametrize(
    ("env_id", "least", "most"),
    [
        ("CartPole-v1", 480, 500),
        ("MountainCar-v0", -140, -90),
        ("MountainCarContinuous-v0", 88, 91),
        ("Pendulum-v1", -220, -60),
        ("PointMass-v0", -24, -19),
        ("AdvisedCartPole-v0", 480, 500),
        ("SparseMountainCar-v0", 1, 1),
    ],
)
def test_an_expert_is_as_good_as_it_is_said_to_be(env_id: str, least: float, most: float) -> None:
    assert least <= np.mean(returns(env_id, 20)) <= most


def test_the_inverted_pendulum_is_held_up() -> None:
    pytest.importorskip("mujoco", reason="mujoco is not installed: make setup EXTRAS=mujoco", exc_type=ImportError)
    assert np.mean(returns("InvertedPendulum-v5", 4, n_envs=2)) == 1000.0


def test_the_controller_of_the_inverted_pendulum_pushes_where_the_pole_leans() -> None:
    from envs.controllers import balance_pendulum

    forces = balance_pendulum(np.array([[0.0, 0.1, 0.0, 0.0], [0.0, -1.0, 0.0, 0.0], [1.0, 0.0, 1.0, 1.0]]))
    np.testing.assert_allclose(forces, [[0.75], [-3.0], [2.23]])


def test_key_rooms_are_solved_by_who_sees_the_whole_map() -> None:
    assert np.mean(np.array(returns("MiniHack-KeyRoom-S5-v0", 12, n_envs=4, observation_keys=KEYS)) > 0) > 0.9


def test_what_the_scripted_player_lacks_is_said() -> None:
    venv = envs.make_vec("MiniHack-KeyRoom-S5-v0", 1)
    with pytest.raises(ValueError, match=r"reads glyphs, .*observation_keys=\[glyphs_crop,blstats,inv_glyphs,glyphs\]"):
        envs.experts("MiniHack-KeyRoom-S5-v0")["key_room"](venv)
    venv.close()


def test_a_scripted_car_scores_with_the_actions_of_the_task() -> None:
    assert list(envs.experts("RocketShoot-v0")) == ["kickoff", "chase_ball"]
    assert np.mean(returns("RocketShoot-v0", 16, n_envs=8)) > 0.05  # an idle car never scores


def test_an_environment_without_experts_says_so() -> None:
    assert not envs.experts("Acrobot-v1")
    assert not envs.experts("MiniHack-Room-Monster-5x5-v0")


def test_actions_nearest_to_controls_give_the_controls_back() -> None:
    from envs.rocket.actions import ACTIONS

    for make in ACTIONS.values():
        parser = make()
        parser.space.seed(1)
        actions = np.stack([parser.space.sample() for _ in range(30)])
        controls = parser(actions)
        np.testing.assert_array_equal(parser(parser.nearest(controls)), controls)
