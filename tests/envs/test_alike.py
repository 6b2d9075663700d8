"""Rows that play the same episodes, in every family."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import envs

IDS = ("MiniHack-Room-Random-5x5-v0", "AdvisedCartPole-v0", "CartPole-v1", "RocketShoot-v0")


def firsts(env_id: str, workers: int = 0, **request: Any) -> list[Any]:
    """What three rows see first in four episodes, the last two after the stream began again."""
    venv = envs.make_vec(env_id, 3, seed=5, workers=workers, **request)
    try:
        seen = [venv.reset(), venv.reset()]
        venv.seed(5)
        return [*seen, venv.reset(), venv.reset()]
    finally:
        venv.close()


def rows(observations: Any) -> np.ndarray:
    if isinstance(observations, dict):
        return np.concatenate([np.reshape(entry, (len(entry), -1)) for entry in observations.values()], axis=1)
    return np.asarray(observations)


@pytest.mark.parametrize(("env_id", "workers"), [*((env_id, 0) for env_id in IDS), (IDS[0], 1)])
def test_rows_that_are_alike_play_the_same_episodes_and_others_do_not(env_id: str, workers: int) -> None:
    alike = [rows(seen) for seen in firsts(env_id, workers, alike=True)]
    for seen in alike:
        np.testing.assert_array_equal(seen, np.broadcast_to(seen[0], seen.shape))
    assert (alike[0] != alike[1]).any(), "one episode after the other"
    np.testing.assert_array_equal(alike[0], alike[2])
    np.testing.assert_array_equal(alike[1], alike[3])
    apart = rows(firsts(env_id, workers)[0])
    assert (apart[0] != apart[1]).any()
    np.testing.assert_array_equal(apart[0], alike[0][0])


@pytest.mark.parametrize("env_id", ["MiniHack-Room-Random-5x5-v0", "CartPole-v1", "RocketShoot-v0"])
def test_no_two_rows_in_any_processes_play_one_episode_unless_they_are_asked_to(env_id: str) -> None:
    def seeds(workers: int, alike: bool) -> list[int]:
        venv = envs.make_vec(env_id, 4, seed=5, workers=workers, alike=alike)
        try:
            found = []
            for _ in range(2):
                venv.reset()
                found += [int(info["episode_seed"]) for info in venv.reset_infos]
            return found
        finally:
            venv.close()

    apart, alike = seeds(1, False), seeds(1, True)
    assert len(set(apart)) == 8
    assert [len(set(alike[:4])), len(set(alike[4:])), len(set(alike))] == [1, 1, 2]
    assert (apart, alike) == (seeds(0, False), seeds(0, True))


def test_the_stock_path_cannot() -> None:
    with pytest.raises(ValueError, match="leave it out"):
        envs.make_vec("MiniHack-Room-Random-5x5-v0", 2, alike=True, stock=True)
