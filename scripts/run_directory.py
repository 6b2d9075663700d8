"""The run directory: everything that a run leaves behind, in one folder that can be moved, resumed and evaluated."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from agents.build import algorithms
from omegaconf import DictConfig, OmegaConf
from shaping.vec_env import ShapedVecEnv
from stable_baselines3.common.base_class import BaseAlgorithm

from scripts.checkpoints import Checkpoint, latest_checkpoint, remove_unfinished
from scripts.configuration import ConfigurationError
from scripts.experiment import build_environment, build_rewards

PROBE_BYTES = 32 * 2**20
"""Free space below which a run is not begun: a few checkpoints of a small network."""


class RunDirectory:
    """A run directory that this process trains in: it holds RUN/lock until `release` or its end, however it ends.

    Use `create` or `reopen`.
    """

    def __init__(self, path: Path, lock: int) -> None:
        self.path = path
        self._lock: int | None = lock
        # a forked worker must not keep the lock when this process is killed
        os.register_at_fork(after_in_child=self._forget_lock)

    @classmethod
    def create(cls, path: Path, *, numbered: bool = False) -> RunDirectory:
        """A new run directory.

        Args:
            path: where; a folder that holds no run yet may exist.
            numbered: where it holds one, take the first free one of PATH-2, PATH-3, ...

        Raises:
            ConfigurationError: it holds a run, or another process is starting one there, or it cannot be written.
        """
        candidate, number = path, 1
        while True:
            try:
                return cls._create(candidate)
            except _TakenError as error:
                if not numbered:
                    raise ConfigurationError(str(error)) from None
                number += 1
                candidate = path.with_name(f"{path.name}-{number}")

    @classmethod
    def _create(cls, path: Path) -> RunDirectory:
        try:
            path.mkdir(parents=True, exist_ok=True)
            lock = _lock(path)
        except OSError as error:
            raise ConfigurationError(_unwritable(path, error)) from error
        run = cls(path, lock)
        try:
            if run.config_file.exists():
                raise _TakenError(
                    f"{path} already holds a run. Go on with it: resume={path}. Or choose another run_dir."
                )
            run._probe()
        except BaseException:
            run.release()
            raise
        return run

    @classmethod
    def reopen(cls, path: Path) -> RunDirectory:
        """The directory of a run that stopped, to go on with.

        Raises:
            ConfigurationError: no run is there, a process trains there, or it cannot be written.
        """
        if not (path / "config.yaml").is_file():
            raise ConfigurationError(f"resume={path}: there is no run there (no {path / 'config.yaml'}).")
        try:
            run = cls(path, _lock(path))
        except _TakenError as error:
            raise ConfigurationError(str(error)) from None
        except OSError as error:
            raise ConfigurationError(_unwritable(path, error)) from error
        try:
            run._probe()
        except BaseException:
            run.release()
            raise
        remove_unfinished(run.checkpoints)
        return run

    @property
    def config_file(self) -> Path:
        return self.path / "config.yaml"

    @property
    def progress_file(self) -> Path:
        return self.path / "progress.csv"

    @property
    def summary_file(self) -> Path:
        return self.path / "summary.json"

    @property
    def checkpoints(self) -> Path:
        return self.path / "checkpoints"

    def write_configuration(self, config: DictConfig, choices: Mapping[str, str]) -> None:
        """config.yaml and choices.yaml. config.yaml comes last: by it a directory counts as holding a run."""
        write_atomically(self.path / "choices.yaml", OmegaConf.to_yaml(dict(choices)))
        write_atomically(self.config_file, OmegaConf.to_yaml(config, resolve=True))

    def write_summary(self, summary: Mapping[str, Any]) -> None:
        """summary.json. Raises OSError."""
        write_atomically(self.summary_file, json.dumps(dict(summary), indent=2) + "\n")

    def release(self) -> None:
        """Give the lock up; the file stays."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def discard_if_empty(self) -> None:
        """Release, and remove the directory again if nothing but the lock was written into it."""
        self.release()
        if [entry.name for entry in self.path.iterdir()] == ["lock"]:
            shutil.rmtree(self.path, ignore_errors=True)

    def _forget_lock(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _probe(self) -> None:
        """Raises ConfigurationError where a run could not be written."""
        probe = self.path / f".probe.{os.getpid()}"
        try:
            with probe.open("wb") as stream:
                stream.write(bytes(2**20))
                stream.flush()
                os.fsync(stream.fileno())
            free = shutil.disk_usage(self.path).free
        except OSError as error:
            raise ConfigurationError(_unwritable(self.path, error)) from error
        finally:
            probe.unlink(missing_ok=True)
        if free < PROBE_BYTES:
            raise ConfigurationError(
                f"{self.path} has {free / 2**20:.0f} MiB of free space, and a run needs {PROBE_BYTES / 2**20:.0f} MiB or "
                "more for its checkpoints. Free some, or choose another run_dir."
            )


class _TakenError(Exception):
    """A directory that belongs to another run."""


def _lock(path: Path) -> int:
    descriptor = os.open(path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        holder = os.pread(descriptor, 32, 0).decode(errors="replace").strip()
        os.close(descriptor)
        if error.errno in (errno.EAGAIN, errno.EACCES):
            who = f" (process {holder})" if holder else ""
            raise _TakenError(f"another run{who} trains in {path}. Wait for it, or choose another run_dir.") from None
        raise
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
    return descriptor


def _unwritable(path: Path, error: OSError) -> str:
    return f"{path} cannot be written ({error.strerror or error}). Choose another place: run_dir=PATH."


def write_atomically(path: Path, text: str) -> None:
    """Readers see the old file or the new one, and so does a machine that loses power. Raises OSError."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with temporary.open("w") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise


def default_run_directory(choices: Mapping[str, str], seed: int) -> Path:
    """runs/ENV-SHAPING-AGENT-SEED-TIME."""
    parts = [choices["env"].replace("/", "_"), choices["shaping"], choices["agent"], str(seed)]
    return Path("runs") / "-".join([*parts, time.strftime("%Y%m%d_%H%M%S")])


# Reading a run ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Run:
    """A run to look at: its configuration, and its environment and agent as the newest checkpoint has them."""

    path: Path
    config: DictConfig
    choices: dict[str, str]
    checkpoint: Checkpoint | None
    """The newest intact one."""

    def build_env(
        self,
        split: str = "eval",
        n_envs: int = 1,
        *,
        seed: int | None = None,
        workers: int = 0,
        render_mode: str | None = None,
    ) -> ShapedVecEnv:
        """The same stack as in training, with the reward terms as they had become.

        Args:
            split: "eval" or "train": whose episode seeds.
            n_envs: how many environments; arrays of the terms that have one row for each start anew where the number
                is not that of training.
            seed: of the episodes; None for the run's own.
            workers: processes; 0 for this one.
            render_mode: "rgb_array" to see something.

        Raises:
            ConfigurationError: the environment cannot be built.
        """
        venv = build_environment(
            self.config,
            build_rewards(self.config),
            split=split,
            n_envs=n_envs,
            seed=seed,
            workers=workers,
            render_mode=render_mode,
        )
        if self.checkpoint is not None:
            state = load_state(self.checkpoint)["shaping"]
            if n_envs != self.config.n_envs:
                state = _refit(state, venv.state_dict(), self.config.n_envs, n_envs)
            venv.load_state_dict(state)
        return venv

    def load_agent(self, device: str = "cpu") -> BaseAlgorithm:
        """The agent of the newest checkpoint, without an environment (SB3 would seed it anew).

        Raises:
            FileNotFoundError: there is no checkpoint.
        """
        if self.checkpoint is None:
            raise FileNotFoundError(f"{self.path} has no checkpoint to load an agent from")
        return algorithms[self.config.agent.name].load(self.checkpoint.agent_file, device=device)


def load_run(run_dir: str | Path) -> Run:
    """A run directory, for reading.

    Raises:
        FileNotFoundError: there is no run.
        CheckpointFormatError: another version of Breadcrumb wrote its checkpoint.
    """
    path = Path(run_dir)
    if not (path / "config.yaml").is_file():
        raise FileNotFoundError(f"there is no run in {path} (no {path / 'config.yaml'})")
    config, choices = OmegaConf.load(path / "config.yaml"), OmegaConf.load(path / "choices.yaml")
    assert isinstance(config, DictConfig)
    named = {str(key): str(value) for key, value in choices.items()}  # type: ignore[union-attr]
    return Run(path, config, named, latest_checkpoint(path / "checkpoints"))


def load_state(checkpoint: Checkpoint) -> dict[str, Any]:
    """What a checkpoint holds besides the agent."""
    state = torch.load(checkpoint.state_file, map_location="cpu", weights_only=False)
    assert isinstance(state, dict)
    return state


def _refit(saved: Any, fresh: Any, had: int, has: int) -> Any:
    """`saved`, with the arrays that have one row an environment taken from `fresh`."""
    if isinstance(saved, Mapping) and isinstance(fresh, Mapping):
        return {key: _refit(value, fresh.get(key), had, has) for key, value in saved.items()}
    arrays = (np.ndarray, torch.Tensor)
    if isinstance(saved, arrays) and isinstance(fresh, arrays) and saved.ndim and fresh.ndim:  # noqa: SIM102
        if tuple(saved.shape) == (had, *saved.shape[1:]) and tuple(fresh.shape) == (has, *saved.shape[1:]):
            return fresh
    return saved
