"""Demonstrations in the files of Minari and of the package `imitation`, read without either.

Minari: DATASET/data/main_data.hdf5 and metadata.json beside it, as version 0.5 writes them; HDF5
needs the package h5py. imitation: the .npz of its trajectories. Neither is unpickled, so infos are
left where they are.
"""

from __future__ import annotations

import importlib
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

import envs
from foundation.demonstrations import Array, Demonstrations, Header, Observations
from scripts.demonstrations.playing import canonical, versions

_MINARI = Path("data") / "main_data.hdf5"
_OF_IMITATION = ("obs", "acts", "terminal", "indices")


def is_readable(path: Path) -> bool:
    """Is it a file or folder of one of the two?"""
    return path.suffix in (".npz", ".hdf5", ".pkl") or (path / "data").is_dir() or bool(list(path.glob("*.arrow")))


def read(path: Path, env_id: str, env_kwargs: Mapping[str, Any]) -> Demonstrations:
    """Demonstrations of a Minari dataset's folder or of an `imitation` file.

    Args:
        path: see `is_readable`.
        env_id: the environment that they are of; "" where the file says it, which Minari's do.
        env_kwargs: its arguments.

    Raises:
        ValueError: it cannot be read here, with the reason, or does not fit the environment.
    """
    if path.suffix == ".hdf5":
        path = path.parent.parent
    if (path / _MINARI).is_file():
        return _minari(path, env_id, env_kwargs)
    if path.is_dir():
        raise ValueError(
            f"{path} holds no {_MINARI}. Arrow files (Minari's other format, and what imitation writes today) need "
            "packages that are not read here: write them anew as HDF5 (Minari: data_format='hdf5') or as .npz."
        )
    if path.suffix == ".pkl":
        raise ValueError(f"{path} is a pickle, which is a program: it is not run here. Save the trajectories as .npz.")
    return _imitation(path, env_id, env_kwargs)


def _minari(path: Path, env_id: str, env_kwargs: Mapping[str, Any]) -> Demonstrations:
    try:
        h5py: Any = importlib.import_module("h5py")
    except ImportError as error:
        raise ValueError(f"{path} is HDF5, and h5py is not installed: make setup EXTRAS=hdf5") from error
    metadata = path / "data" / "metadata.json"
    try:
        said: dict[str, Any] = json.loads(metadata.read_text()) if metadata.is_file() else {}
        with h5py.File(path / _MINARI, "r") as file:
            said = {**dict(file.attrs), **said}
            names = sorted((name for name in file if name.startswith("episode_")), key=lambda name: int(name[8:]))
            episodes = [{key: _read(file[name][key]) for key in _COLUMNS} for name in names]
    except (OSError, KeyError, ValueError) as error:
        raise ValueError(f"{path} cannot be read as a Minari dataset: {error}") from error
    if not episodes:
        raise ValueError(f"{path} holds no episode")
    spec = said.get("env_spec")
    env_id = env_id or (json.loads(spec)["id"] if isinstance(spec, str) else "")
    source = f"Minari: {said.get('dataset_id', path.name)}"
    lengths = [len(episode["rewards"]) for episode in episodes]
    return Demonstrations.from_steps(
        _header(path, env_id, env_kwargs, source),
        observations=_without(episodes, last=True),
        next_observations=_without(episodes, last=False),
        actions=np.concatenate([episode["actions"] for episode in episodes]),
        rewards=np.concatenate([episode["rewards"] for episode in episodes]),
        terminated=np.concatenate([episode["terminations"] for episode in episodes]),
        truncated=np.concatenate([episode["truncations"] & ~episode["terminations"] for episode in episodes]),
        episode_starts=np.cumsum([0, *lengths[:-1]]),
    )


_COLUMNS = ("observations", "actions", "rewards", "terminations", "truncations")


def _read(entry: Any) -> Any:
    """An HDF5 dataset as an array, a group as a dict of them."""
    return {key: _read(entry[key]) for key in entry} if hasattr(entry, "keys") else np.asarray(entry[()])


def _without(episodes: list[dict[str, Any]], *, last: bool) -> Observations:
    """Observations of all episodes, each but for its last or its first, which is one too many."""
    part = slice(None, -1) if last else slice(1, None)
    first = episodes[0]["observations"]
    if isinstance(first, dict):
        return {key: np.concatenate([each["observations"][key][part] for each in episodes]) for key in first}
    return np.concatenate([each["observations"][part] for each in episodes])


def _imitation(path: Path, env_id: str, env_kwargs: Mapping[str, Any]) -> Demonstrations:
    if not env_id:
        raise ValueError(f"{path} does not say of which environment it is: give env=")
    header = _header(path, env_id, env_kwargs, f"imitation: {path.name}")
    try:
        with np.load(path, allow_pickle=False) as file:
            missing = [name for name in _OF_IMITATION if name not in file.files]
            if missing:
                raise ValueError(f"it has no {', '.join(missing)}")
            seen, actions, terminal, indices = (file[name] for name in _OF_IMITATION)
            rewards = file["rews"] if "rews" in file.files else np.zeros(len(actions))
    except (OSError, ValueError, zipfile.BadZipFile, EOFError) as error:
        raise ValueError(f"{path} cannot be read as trajectories of imitation: {error}") from error
    starts = np.concatenate([[0], indices]).astype(np.int64)
    stops = np.append(starts[1:], len(actions))
    if len(terminal) != len(starts) or len(seen) != len(actions) + len(starts):
        raise ValueError(
            f"{path} cannot be read as trajectories of imitation: {len(seen)} observations and {len(terminal)} ends "
            f"for {len(actions)} actions in {len(starts)} episodes"
        )
    kept = np.ones(len(seen), np.bool_)
    kept[stops + np.arange(len(stops))] = False  # an episode has one observation more than actions
    followed = np.ones(len(seen), np.bool_)
    followed[starts + np.arange(len(starts))] = False
    over, late = _ends(stops, terminal.astype(np.bool_), stops - starts, envs.describe(env_id).max_episode_steps)
    return Demonstrations.from_steps(
        header,
        observations=seen[kept],
        next_observations=seen[followed],
        actions=actions,
        rewards=rewards,
        terminated=over,
        truncated=late,
        episode_starts=starts,
    )


def _ends(stops: Array, terminal: Array, lengths: Array, limit: int | None) -> tuple[Array, Array]:
    """Terminations and truncations; imitation calls both terminal, so the time limit decides."""
    over, late = np.zeros(stops[-1], np.bool_), np.zeros(stops[-1], np.bool_)
    timed = np.zeros(len(stops), np.bool_) if limit is None else lengths >= limit
    over[stops[terminal & ~timed] - 1] = True
    late[stops[terminal & timed] - 1] = True
    return over, late


def _header(path: Path, env_id: str, env_kwargs: Mapping[str, Any], source: str) -> Header:
    try:
        venv = envs.make_vec(env_id, 1, **env_kwargs)
    except Exception as error:
        raise ValueError(
            f"{path}: the environment {env_id or '(none is named)'} cannot be built: {error}. Give env= and env.kwargs "
            "of the one that they are of."
        ) from error
    try:
        return Header.of(
            canonical(env_id),
            venv.observation_space,
            venv.action_space,
            env_kwargs=dict(env_kwargs),
            source=source,
            versions=versions(),
        )
    finally:
        venv.close()
