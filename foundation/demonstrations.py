"""What an expert did, step by step: arrays, what they are of, and the file that holds both."""

from __future__ import annotations

import json
import warnings
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from gymnasium import spaces

from foundation.checks import whole
from foundation.files import whole_file
from foundation.spaces_as_text import described, space_of

Array = npt.NDArray[Any]
BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]
Observations = Array | dict[str, Array]
"""(steps, ...), or of a Dict space an array for every entry."""

FORMAT = 1
"""Of the file; one with a higher number is refused."""
AS_FAR_AS_ROUNDING = 1e-5
"""By how much an action may lie outside its bounds, as a share of their distance."""
_STEPS = ("actions", "rewards", "terminated", "truncated")
_EPISODES = ("episode_starts", "returns", "lengths", "ended")


@dataclass(frozen=True)
class Header:
    """What demonstrations are of.

    Attributes:
        env_id: the gymnasium id.
        env_kwargs: arguments of the environment.
        observation_space, action_space: as `foundation.spaces_as_text.described` writes them.
        source: who played, in words.
        seed: of the episodes; None where nobody knows.
        versions: package -> version.
        subsampled: one step of so many is kept.
    """

    env_id: str
    observation_space: Mapping[str, Any]
    action_space: Mapping[str, Any]
    env_kwargs: Mapping[str, Any] = field(default_factory=dict)
    source: str = ""
    seed: int | None = None
    versions: Mapping[str, str] = field(default_factory=dict)
    subsampled: int = 1

    @classmethod
    def of(
        cls, env_id: str, observation_space: spaces.Space[Any], action_space: spaces.Space[Any], **entries: Any
    ) -> Header:
        """From the spaces themselves; `entries` are the other attributes.

        Raises:
            ValueError: a space that no file can describe.
        """
        return cls(env_id, described(observation_space), described(action_space), **entries)


@dataclass(frozen=True)
class Demonstrations:
    """Steps of an expert, episode after episode. Arrays are not to be written to.

    `from_steps` makes them of the steps alone.

    Attributes:
        observations: (steps, ...), or a dict of such arrays.
        actions: (steps, ...) in the environment's own units: a pendulum's torque from −2 to 2,
            never scaled to [−1, 1].
        rewards: (steps,) of the task.
        next_observations: like `observations`: what the step led to, of an episode's last step too.
        terminated: (steps,) the task was over after this step.
        truncated: (steps,) time was up after this step.
        episode_starts: (episodes,) the row of each episode's first step.
        returns: (episodes,) what a whole episode paid, undiscounted; also where steps were left
            out.
        lengths: (episodes,) steps of a whole episode.
        ended: (episodes,) it ended by termination; also where its last step was left out.
        header: what they are of.

    Raises:
        ValueError: no steps, numbers that do not fit each other, NaN or infinity; says where.
    """

    observations: Observations
    actions: Array
    rewards: FloatArray
    next_observations: Observations
    terminated: BoolArray
    truncated: BoolArray
    episode_starts: IntArray
    returns: FloatArray
    lengths: IntArray
    ended: BoolArray
    header: Header

    @classmethod
    def from_steps(
        cls,
        header: Header,
        *,
        observations: Observations,
        actions: Array,
        rewards: Array,
        next_observations: Observations,
        terminated: Array,
        truncated: Array,
        episode_starts: Sequence[int] | Array | None = None,
    ) -> Demonstrations:
        """Demonstrations of whole episodes.

        Args:
            header: what they are of.
            observations, actions, rewards, next_observations, terminated, truncated: of the steps,
                in their order; see the class.
            episode_starts: None: a step after a termination or truncation starts the next.

        Raises:
            ValueError: see the class.
        """
        over, late = np.asarray(terminated, np.bool_), np.asarray(truncated, np.bool_)
        steps, pay, acted = len(actions), np.asarray(rewards, np.float64), np.asarray(actions)
        if not steps:
            raise ValueError("there are no steps: the set is empty")
        for name, column in (("rewards", pay), ("terminated", over), ("truncated", late)):
            if column.shape != (steps,):
                raise ValueError(f"{name} are {column.shape}; expected one for each of {steps} steps")
        if episode_starts is None:
            episode_starts = np.concatenate([[0], np.flatnonzero((over | late)[:-1]) + 1])
        starts = np.asarray(episode_starts, np.int64)
        _refuse_starts(starts, steps)
        stops = np.append(starts[1:], steps)
        sums, lengths, ended = np.add.reduceat(pay, starts), stops - starts, over[stops - 1]
        return cls(observations, acted, pay, next_observations, over, late, starts, sums, lengths, ended, header)

    def __post_init__(self) -> None:
        steps = len(self.actions)
        if not steps:
            raise ValueError("there are no steps: the set is empty")
        if (self.terminated & self.truncated).any():
            raise ValueError("a step is called both terminated and truncated; a termination is none of time's")
        arrays = {name: getattr(self, name) for name in _STEPS}
        arrays |= _named("observations", self.observations) | _named("next_observations", self.next_observations)
        for name, array in arrays.items():
            if len(array) != steps:
                raise ValueError(f"{name} has {len(array)} steps, and there are {steps} actions")
            if np.issubdtype(array.dtype, np.floating):
                wrong = np.argwhere(~np.isfinite(array))
                if len(wrong):
                    raise ValueError(f"{name} of step {int(wrong[0][0])} is not finite ({len(wrong)} such numbers)")
            elif array.dtype.kind not in "biu":
                raise ValueError(f"{name} is of {array.dtype}; expected numbers")
        before, after = _named("", self.observations), _named("", self.next_observations)
        if {name: array.shape for name, array in before.items()} != {
            name: array.shape for name, array in after.items()
        }:
            raise ValueError(f"observations are {_shapes(before)}, and next_observations {_shapes(after)}")
        starts = self.episode_starts
        _refuse_starts(starts, steps)
        for name in ("returns", "lengths", "ended"):
            if len(getattr(self, name)) != len(starts):
                raise ValueError(f"{name} has {len(getattr(self, name))} episodes; there are {len(starts)}")
        last = np.zeros(steps, np.bool_)
        last[np.append(starts[1:], steps) - 1] = True
        inside = np.flatnonzero((self.terminated | self.truncated) & ~last)
        if len(inside):
            raise ValueError(f"step {int(inside[0])} ends an episode, and is not the last of one")

    def __len__(self) -> int:
        """Steps."""
        return len(self.actions)

    @property
    def observation_space(self) -> spaces.Space[Any]:
        """Of the environment that they were played in."""
        return space_of(self.header.observation_space)

    @property
    def action_space(self) -> spaces.Space[Any]:
        """Of the environment that they were played in."""
        return space_of(self.header.action_space)

    def episodes(self) -> Iterator[Demonstrations]:
        """Each episode by itself."""
        for index in range(len(self.episode_starts)):
            yield self.select([index])

    def select(self, episodes: Sequence[int]) -> Demonstrations:
        """These episodes, in this order.

        Raises:
            ValueError: an episode that there is not, or none.
        """
        stops = np.append(self.episode_starts[1:], len(self))
        for index in episodes:
            if not 0 <= index < len(stops):
                raise ValueError(f"there is no episode {index}; there are {len(stops)}, counted from 0")
        if not len(episodes):
            raise ValueError("no episode is chosen: the set would be empty")
        rows = [np.arange(self.episode_starts[index], stops[index]) for index in episodes]
        return self._rows(rows, list(episodes))

    def subsample(self, rate: int, random: np.random.Generator | int) -> Demonstrations:
        """One step of every `rate`, from a random offset in each episode.

        What is known of whole episodes stays: `returns`, `lengths` and `ended`, so that absorbing
        pairs are still there where the last step is not (Kostrikov et al. 2019: without them, one
        of `rate` would be left).

        Args:
            rate: 1 keeps everything.
            random: the generator of the offsets, or its seed.

        Raises:
            ValueError: an episode is shorter than the rate, so that an offset could leave nothing
                of it; says which.
        """
        whole("rate", rate)
        if rate == 1:
            return self
        generator = np.random.default_rng(random) if isinstance(random, int) else random
        stops = np.append(self.episode_starts[1:], len(self))
        short = np.flatnonzero(stops - self.episode_starts < rate)
        if len(short):
            index = int(short[0])
            raise ValueError(
                f"episode {index} has {int(stops[index] - self.episode_starts[index])} steps: one of {rate} may leave "
                f"nothing of it ({len(short)} such episodes). Use a rate of at most "
                f"{int((stops - self.episode_starts).min())}, or leave these episodes out (select)."
            )
        offsets = generator.integers(rate, size=len(stops))
        rows = [
            np.arange(start + offset, stop, rate)
            for start, stop, offset in zip(self.episode_starts, stops, offsets, strict=True)
        ]
        thinned = self._rows(rows, list(range(len(rows))))
        return replace(thinned, header=replace(self.header, subsampled=self.header.subsampled * rate))

    def absorbing_pairs(self) -> tuple[FloatArray, FloatArray]:
        """What goes on after the episodes that ended by termination, for those who learn rewards.

        One pair for each such episode, whether or not its last step is still here. A state has one
        more number than an observation and an action one more than an action: 0 in every real one,
        and 1 in these, where all the others are 0.

        Returns:
            (m, width + 1) states and (m, size + 1) actions.

        Raises:
            ValueError: observations or actions are no vectors.
        """
        if isinstance(self.observations, dict) or self.observations.ndim != 2 or self.actions.ndim != 2:
            raise ValueError("absorbing pairs need observations and actions that are vectors (Box of one axis)")
        count = int(self.ended.sum())
        pairs = []
        for array in (self.observations, self.actions):
            absorbing = np.zeros((count, array.shape[1] + 1))
            absorbing[:, -1] = 1.0
            pairs.append(absorbing)
        return pairs[0], pairs[1]

    def check(
        self, observation_space: spaces.Space[Any], action_space: spaces.Space[Any], env_id: str | None = None
    ) -> None:
        """Do they fit who is to learn from them? Warns where they are of another environment.

        Args:
            observation_space, action_space: of the learner.
            env_id: of the learner's environment, where known.

        Raises:
            ValueError: entries, widths or actions that do not fit; says which.
        """
        if isinstance(observation_space, spaces.Dict) != isinstance(self.observations, dict):
            raise ValueError(
                f"the demonstrations observe {_in_words(self.observations)}, and the environment {observation_space}; "
                "record them in the same environment, with the same env.kwargs"
            )
        entries = observation_space.spaces if isinstance(observation_space, spaces.Dict) else {"": observation_space}
        given = self.observations if isinstance(self.observations, dict) else {"": self.observations}
        for name, entry in entries.items():
            what = f"the demonstrations' observation{f' {name!r}' if name else 's'}"
            if name not in given:
                raise ValueError(
                    f"{what} is not there; they have {', '.join(given)}. Record them in the same environment; entries "
                    "that a reward term publishes are in no file, so leave that term out."
                )
            if given[name].shape[1:] != (entry.shape or ()):
                raise ValueError(
                    f"{what} {'is' if name else 'are'} of shape {given[name].shape[1:]}; expected "
                    f"{entry.shape or ()}, as the environment's"
                )
        self._check_actions(action_space)
        if env_id is not None and _bare(env_id) != _bare(self.header.env_id):
            warnings.warn(
                f"the demonstrations are of {self.header.env_id}, and the environment is {env_id}", stacklevel=2
            )

    def _check_actions(self, space: spaces.Space[Any]) -> None:
        actions = self.actions
        if actions.shape[1:] != (space.shape or ()):
            raise ValueError(
                f"the demonstrations' actions are of shape {actions.shape[1:]}; expected {space.shape or ()}, as "
                f"those of {space}"
            )
        if isinstance(space, spaces.Box):
            with np.errstate(invalid="ignore", over="ignore"):
                slack = AS_FAR_AS_ROUNDING * np.where(np.isfinite(space.high - space.low), space.high - space.low, 0.0)
            outside = (actions < space.low - slack) | (actions > space.high + slack)
            hint = "actions are in the environment's own units, not scaled to [-1, 1]"
        else:
            if actions.dtype.kind not in "biu":
                raise ValueError(f"the demonstrations' actions are of {actions.dtype}; {space} has whole numbers")
            low, high = _choices(space)
            outside = (actions < low) | (actions > high)
            hint = "are they of an environment with more actions?"
        wrong = np.argwhere(outside)
        if len(wrong):
            row = int(wrong[0][0])
            raise ValueError(
                f"action {actions[row].tolist()} of step {row} is outside {space} ({len(wrong)} such numbers): {hint}"
            )

    def save(self, path: str | Path, beside: Mapping[str, Array] | None = None) -> None:
        """Write a file, whole or not at all.

        Args:
            path: of the file.
            beside: further arrays of numbers, for `arrays_beside`; `load` passes them over. Their
                names are none of the file's own.

        Raises:
            ValueError: the name does not end in .npz, or a name is taken.
            OSError: it cannot be written.
        """
        path = Path(path)
        if path.suffix != ".npz":
            raise ValueError(f"{path}: a file of demonstrations ends in .npz")
        text = json.dumps({"format": FORMAT, **asdict(self.header)}, allow_nan=False)
        arrays = {name: getattr(self, name) for name in (*_STEPS, *_EPISODES)}
        arrays |= _named("observations", self.observations) | _named("next_observations", self.next_observations)
        arrays["header"] = np.frombuffer(text.encode(), np.uint8)
        for name, array in (beside or {}).items():
            if name in arrays:
                raise ValueError(f"{name} is an array of the demonstrations themselves; give it another name")
            arrays[name] = array
        with whole_file(path) as part:
            np.savez_compressed(part, **arrays)

    @classmethod
    def load(cls, path: str | Path) -> Demonstrations:
        """What `save` wrote. Nothing is unpickled.

        Raises:
            ValueError: damaged, another kind of file, or one of a later format; names the file.
            FileNotFoundError: there is none.
        """
        path = Path(path)
        try:
            with np.load(path, allow_pickle=False) as file:
                arrays = {name: file[name] for name in file.files}
            if "header" not in arrays:
                raise ValueError("it has no header; scripts.record_demonstrations reads other kinds of files")
            text = json.loads(bytes(arrays.pop("header")).decode())
            if text.pop("format") > FORMAT:
                raise ValueError("it was written by a later version")
            header = Header(**text)
            return cls(
                observations=_unnamed("observations", arrays),
                next_observations=_unnamed("next_observations", arrays),
                header=header,
                **{name: arrays[name] for name in (*_STEPS, *_EPISODES)},
            )
        except FileNotFoundError:
            raise
        except (ValueError, KeyError, TypeError, AttributeError, OSError, EOFError, zipfile.BadZipFile) as error:
            reason = f"{error} is missing" if isinstance(error, KeyError) else str(error)
            raise ValueError(f"{path} cannot be read as demonstrations: {reason}") from error

    @classmethod
    def join(cls, sets: Sequence[Demonstrations]) -> Demonstrations:
        """Several sets as one, with the header of the first.

        Raises:
            ValueError: none, or of unlike observations or actions.
        """
        if not sets:
            raise ValueError("there are no demonstrations to join")
        first = sets[0]
        for index, other in enumerate(sets):
            shapes = [
                {name: array.shape[1:] for name, array in _named("observations", each.observations).items()}
                | {"actions": each.actions.shape[1:]}
                for each in (first, other)
            ]
            if shapes[0] != shapes[1]:
                raise ValueError(f"demonstrations {index} have {shapes[1]}, and the first {shapes[0]}")
        offsets = np.cumsum([0, *(len(each) for each in sets[:-1])])
        starts = [each.episode_starts + offset for each, offset in zip(sets, offsets, strict=True)]
        columns = {
            name: np.concatenate([getattr(each, name) for each in sets])
            for name in (*_STEPS, *_EPISODES)
            if name != "episode_starts"
        }
        return cls(
            observations=_joined([each.observations for each in sets]),
            next_observations=_joined([each.next_observations for each in sets]),
            episode_starts=np.concatenate(starts),
            header=first.header,
            **columns,
        )

    def _rows(self, rows: Sequence[IntArray], episodes: list[int]) -> Demonstrations:
        """These rows of these episodes."""
        every = np.concatenate(rows)
        return Demonstrations(
            observations=_taken(self.observations, every),
            next_observations=_taken(self.next_observations, every),
            episode_starts=np.cumsum([0, *(len(each) for each in rows[:-1])], dtype=np.int64),
            header=self.header,
            **{name: getattr(self, name)[every] for name in _STEPS},
            **{name: getattr(self, name)[episodes] for name in _EPISODES if name != "episode_starts"},
        )


def arrays_beside(path: str | Path, names: Sequence[str]) -> dict[str, Array]:
    """Those of a file's further arrays that are there. Nothing is unpickled.

    Raises:
        ValueError: the file is damaged.
        FileNotFoundError: there is none.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in names if name in file.files}
    except (ValueError, KeyError, OSError, EOFError, zipfile.BadZipFile) as error:
        if isinstance(error, FileNotFoundError):
            raise
        raise ValueError(f"{path} cannot be read: {error}") from error


def read_demonstrations(files: str | Sequence[str]) -> Demonstrations:
    """The demonstrations of one file or of several, joined.

    Args:
        files: a path, several with commas between them, or a list of paths.

    Raises:
        ValueError: none is named, one cannot be read, or they do not fit each other.
        FileNotFoundError: one is not there.
    """
    paths = files.split(",") if isinstance(files, str) else [str(path) for path in files]
    return Demonstrations.join([Demonstrations.load(path.strip()) for path in paths if path.strip()])


def environment_of(venv: Any) -> str | None:
    """Which environment `envs.make_vec` built, behind wrappers too; None: it did not build it."""
    found = getattr(venv, "env_id", None)
    return found if isinstance(found, str) else None


def _bare(env_id: str) -> str:
    """An id without its namespace, which ours may leave out."""
    return env_id.rpartition("/")[2]


def _choices(space: spaces.Space[Any]) -> tuple[Any, Any]:
    """The least and the greatest of discrete actions."""
    if isinstance(space, spaces.Discrete):
        return space.start, space.start + space.n - 1
    if isinstance(space, spaces.MultiDiscrete):
        return space.start, space.start + space.nvec - 1
    if isinstance(space, spaces.MultiBinary):
        return 0, 1
    raise ValueError(f"actions are {space}; expected Box, Discrete, MultiDiscrete or MultiBinary")


def _refuse_starts(starts: IntArray, steps: int) -> None:
    if not len(starts) or starts[0] != 0 or (np.diff(np.append(starts, steps)) <= 0).any():
        raise ValueError(f"episode_starts are {starts.tolist()[:10]}; expected rows from 0 upwards, below {steps}")


def _shapes(arrays: Mapping[str, Array]) -> str:
    return ", ".join(f"{name.lstrip('/')} {array.shape}".strip() for name, array in arrays.items())


def _in_words(observations: Observations) -> str:
    if isinstance(observations, dict):
        return f"a Dict of {', '.join(observations)}"
    return f"arrays of shape {observations.shape[1:]}"


def _named(name: str, observations: Observations) -> dict[str, Array]:
    """Arrays by the names that a file has for them."""
    if isinstance(observations, dict):
        return {f"{name}/{key}": array for key, array in observations.items()}
    return {name: observations}


def _unnamed(name: str, arrays: Mapping[str, Array]) -> Observations:
    if name in arrays:
        return arrays[name]
    entries = {key[len(name) + 1 :]: array for key, array in arrays.items() if key.startswith(f"{name}/")}
    if not entries:
        raise KeyError(name)
    return entries


def _taken(observations: Observations, rows: IntArray) -> Observations:
    if isinstance(observations, dict):
        return {name: array[rows] for name, array in observations.items()}
    return observations[rows]


def _joined(sets: Sequence[Observations]) -> Observations:
    named = [_named("", each) for each in sets]
    joined = {name: np.concatenate([each[name] for each in named]) for name in named[0]}
    return joined[""] if "" in joined else {name[1:]: array for name, array in joined.items()}
