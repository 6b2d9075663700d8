"""Demonstrations: their file, their checks, what is left of them when steps are left out."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gymnasium import spaces

from foundation.demonstrations import Demonstrations, Header, read_demonstrations
from foundation.spaces_as_text import described, space_of

SEEN = spaces.Box(-np.inf, np.inf, (3,), np.float32)
DONE = spaces.Box(-2.0, 2.0, (2,), np.float32)


def of_lengths(lengths: list[int], *, terminated: bool = True, **changes: Any) -> Demonstrations:
    """Episodes of these lengths; the first observation entry counts the rows."""
    steps = sum(lengths)
    seen = np.arange(steps * 3, dtype=np.float32).reshape(steps, 3)
    ends = np.zeros(steps, np.bool_)
    ends[np.cumsum(lengths) - 1] = True
    given: dict[str, Any] = {
        "observations": seen,
        "actions": np.linspace(-2, 2, steps * 2, dtype=np.float32).reshape(steps, 2),
        "rewards": np.arange(steps, dtype=np.float64),
        "next_observations": seen + 3,
        "terminated": ends & terminated,
        "truncated": ends & (not terminated),
    }
    return Demonstrations.from_steps(Header.of("Some-v0", SEEN, DONE, seed=7), **{**given, **changes})


def test_episodes_are_found_by_their_ends_and_their_returns_are_sums() -> None:
    demonstrations = of_lengths([2, 3])
    assert demonstrations.episode_starts.tolist() == [0, 2]
    assert demonstrations.lengths.tolist() == [2, 3]
    assert demonstrations.returns.tolist() == [1.0, 9.0]
    assert demonstrations.ended.tolist() == [True, True]
    first, second = demonstrations.episodes()
    assert len(first) == 2
    assert second.rewards.tolist() == [2.0, 3.0, 4.0]
    assert second.episode_starts.tolist() == [0]


def test_a_file_gives_back_what_was_saved(tmp_path: Path) -> None:
    demonstrations = of_lengths([4, 5], terminated=False)
    demonstrations.save(tmp_path / "some.npz")
    loaded = Demonstrations.load(tmp_path / "some.npz")
    assert loaded.header == demonstrations.header
    for name in ("observations", "next_observations", "actions", "rewards", "terminated", "truncated", "returns"):
        np.testing.assert_array_equal(getattr(loaded, name), getattr(demonstrations, name))
        assert getattr(loaded, name).dtype == getattr(demonstrations, name).dtype
    assert loaded.observation_space == SEEN
    assert loaded.action_space == DONE
    assert [entry.name for entry in tmp_path.iterdir()] == ["some.npz"]


def test_entries_of_dict_observations_have_an_array_each(tmp_path: Path) -> None:
    seen: dict[str, Any] = {"map": np.zeros((3, 4, 4), np.int16), "stats": np.ones((3, 2), np.float32)}
    stats = spaces.Box(np.array([-1, -1], np.float32), np.array([1, 2], np.float32))
    space = spaces.Dict({"map": spaces.Box(0, 99, (4, 4), np.int16), "stats": stats})
    demonstrations = Demonstrations.from_steps(
        Header.of("Some-v0", space, spaces.Discrete(3)),
        observations=seen,
        next_observations=seen,
        actions=np.array([0, 1, 2]),
        rewards=np.zeros(3),
        terminated=np.array([False, False, True]),
        truncated=np.zeros(3),
    )
    demonstrations.save(tmp_path / "some.npz")
    loaded = Demonstrations.load(tmp_path / "some.npz")
    assert isinstance(loaded.observations, dict)
    assert loaded.observations["map"].dtype == np.int16
    assert loaded.observation_space == space
    loaded.check(space, spaces.Discrete(3), "Some-v0")
    with pytest.raises(ValueError, match="entries that a reward term publishes"):
        loaded.check(spaces.Dict({**space.spaces, "memory": DONE}), spaces.Discrete(3))
    with pytest.raises(ValueError, match="observe a Dict of map, stats"):
        loaded.check(SEEN, spaces.Discrete(3))


@pytest.mark.parametrize(
    "space",
    [
        spaces.Discrete(4, start=2),
        spaces.MultiDiscrete([3, 4]),
        spaces.MultiBinary(5),
        spaces.Box(np.array([-1.0, -np.inf]), np.array([1.0, np.inf]), dtype=np.float64),
        spaces.Box(0, 255, (8, 8, 3), np.uint8),
    ],
)
def test_spaces_survive_being_written_as_json(space: spaces.Space[Any]) -> None:
    assert space_of(json.loads(json.dumps(described(space), allow_nan=False))) == space


def test_what_cannot_be_described_is_refused() -> None:
    with pytest.raises(ValueError, match="cannot be written down"):
        described(spaces.Text(5))
    with pytest.raises(ValueError, match="describes no space"):
        space_of({"kind": "Sphere"})


def test_subsampling_keeps_one_of_the_rate_and_what_is_known_of_whole_episodes() -> None:
    demonstrations = of_lengths([10, 25])
    thin = demonstrations.subsample(5, 3)
    assert len(thin) == 2 + 5
    rows = np.asarray(thin.observations)[:, 0] / 3
    assert set(np.diff(rows[:2])) == {5.0}
    assert set(np.diff(rows[2:])) == {5.0}
    assert thin.header.subsampled == 5
    assert thin.lengths.tolist() == [10, 25]
    np.testing.assert_array_equal(thin.returns, demonstrations.returns)
    np.testing.assert_array_equal(thin.subsample(1, 0).actions, thin.actions)


def test_offsets_of_subsampling_are_random_and_come_from_their_seed() -> None:
    demonstrations = of_lengths([20] * 40)
    offsets = [np.asarray(demonstrations.subsample(10, seed).observations)[::2, 0] / 3 % 20 for seed in (0, 0, 1)]
    np.testing.assert_array_equal(offsets[0], offsets[1])
    assert (offsets[0] != offsets[2]).any()
    assert set(offsets[0]) == set(range(10))


def test_absorbing_pairs_are_there_where_the_last_step_was_left_out() -> None:
    demonstrations = Demonstrations.join([of_lengths([20, 20]), of_lengths([20], terminated=False)])
    thin = next(
        each for each in (demonstrations.subsample(20, seed) for seed in range(20)) if not each.terminated.any()
    )
    states, actions = thin.absorbing_pairs()
    assert states.tolist() == [[0, 0, 0, 1]] * 2
    assert actions.tolist() == [[0, 0, 1]] * 2


def test_an_episode_shorter_than_the_rate_is_named() -> None:
    with pytest.raises(ValueError, match=r"episode 1 has 4 steps.*rate of at most 4"):
        of_lengths([10, 4]).subsample(5, 0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rewards": np.array([0, np.nan, 0, 0.0])}, "rewards of step 1 is not finite"),
        ({"observations": np.array([[0, 0, 0]] * 3 + [[0, np.inf, 0]])}, "observations of step 3 is not finite"),
        ({"rewards": np.zeros(5)}, "rewards are"),
        ({"next_observations": np.zeros((4, 2))}, r"next_observations \(4, 2\)"),
        ({"truncated": [False, False, False, True]}, "both terminated and truncated"),
        ({"episode_starts": [1]}, "episode_starts are"),
        ({"episode_starts": [0, 2, 2]}, "episode_starts are"),
        ({"truncated": [False, True, False, False], "episode_starts": [0]}, "step 1 ends an episode"),
        ({"actions": np.array(["a", "b", "c", "d"])}, "expected numbers"),
    ],
)
def test_steps_that_do_not_fit_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        of_lengths([4], **changes)


def test_an_empty_set_is_refused() -> None:
    nothing = np.zeros((0, 3))
    with pytest.raises(ValueError, match="the set is empty"):
        of_lengths([4], observations=nothing, actions=nothing, rewards=nothing)


def test_widths_and_actions_outside_the_space_are_refused() -> None:
    demonstrations = of_lengths([4])
    demonstrations.check(SEEN, DONE)
    with pytest.raises(ValueError, match=r"observations are of shape \(3,\); expected \(4,\)"):
        demonstrations.check(spaces.Box(-1, 1, (4,)), DONE)
    with pytest.raises(ValueError, match=r"actions are of shape \(2,\); expected \(\)"):
        demonstrations.check(SEEN, spaces.Discrete(2))
    with pytest.raises(ValueError, match=r"of step 0 is outside .*own units"):
        demonstrations.check(SEEN, spaces.Box(-1.0, 1.0, (2,), np.float32))
    counted = of_lengths([4], actions=np.array([0, 1, 2, 3]))
    counted.check(SEEN, spaces.Discrete(4))
    with pytest.raises(ValueError, match="action 3 of step 3 is outside"):
        counted.check(SEEN, spaces.Discrete(3))


def test_another_environment_is_a_warning() -> None:
    with pytest.warns(UserWarning, match="are of Some-v0, and the environment is Other-v0"):
        of_lengths([4]).check(SEEN, DONE, "Other-v0")


def test_what_is_no_file_of_demonstrations_is_named(tmp_path: Path) -> None:
    path = tmp_path / "some.npz"
    path.write_bytes(b"nothing")
    with pytest.raises(ValueError, match="cannot be read as demonstrations"):
        Demonstrations.load(path)
    np.savez(path, obs=np.zeros(3))
    with pytest.raises(ValueError, match="no header"):
        Demonstrations.load(path)
    np.savez(path, header=np.array([{}], dtype=object))  # a pickle, which is never opened
    with pytest.raises(ValueError, match="cannot be read as demonstrations"):
        Demonstrations.load(path)
    with pytest.raises(FileNotFoundError):
        Demonstrations.load(tmp_path / "none.npz")
    with pytest.raises(ValueError, match=r"ends in \.npz"):
        of_lengths([2]).save(tmp_path / "some.txt")


def test_sets_are_joined_where_they_are_alike() -> None:
    joined = Demonstrations.join([of_lengths([2, 3]), of_lengths([4])])
    assert joined.episode_starts.tolist() == [0, 2, 5]
    assert joined.returns.tolist() == [1.0, 9.0, 6.0]
    assert [len(each) for each in joined.episodes()] == [2, 3, 4]
    other = of_lengths([2], actions=np.array([0, 1]))
    with pytest.raises(ValueError, match="demonstrations 1 have"):
        Demonstrations.join([of_lengths([2]), other])
    with pytest.raises(ValueError, match="no demonstrations to join"):
        Demonstrations.join([])


def test_episodes_are_selected_by_number() -> None:
    chosen = of_lengths([2, 3, 4]).select([2, 0])
    assert chosen.lengths.tolist() == [4, 2]
    assert chosen.rewards.tolist() == [5.0, 6.0, 7.0, 8.0, 0.0, 1.0]
    with pytest.raises(ValueError, match="no episode 3"):
        of_lengths([2, 3, 4]).select([3])
    with pytest.raises(ValueError, match="no episode is chosen"):
        of_lengths([2]).select([])
    assert replace(chosen.header, source="x").source == "x"


def test_several_files_are_read_as_one_set(tmp_path: Path) -> None:
    first, second = tmp_path / "first.npz", tmp_path / "second.npz"
    of_lengths([2]).save(first)
    of_lengths([3]).save(second)
    for files in (f"{first},{second}", [str(first), str(second)], f"{first}, {second}"):
        assert read_demonstrations(files).lengths.tolist() == [2, 3]
    assert read_demonstrations(str(first)).lengths.tolist() == [2]
    with pytest.raises(ValueError, match="no demonstrations"):
        read_demonstrations("")
