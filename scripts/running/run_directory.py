"""One folder a run: configuration, curves, checkpoints, results; it survives kill -9.

run = load_run("runs/NAME")
env = run.venv(n_envs=8)        # evaluation's own seeds, the stack that the agent trained in
model = run.load_agent()
player = run.agent.player(model, env.num_envs, deterministic=False)
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import socket
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml
from stable_baselines3.common.base_class import BaseAlgorithm

import agents
import envs
from agents import Agent
from foundation.files import replace_text
from foundation.plain_state import read_state
from scripts.configuration.groups import RunConfig
from scripts.configuration.store import from_container, to_container
from scripts.running.checkpoints import Checkpoint, CheckpointFormatError, latest_checkpoint, remove_unfinished
from scripts.running.experiment import Experiment, assemble
from scripts.running.trust import refuse_interpolations, refuse_untrusted, sign
from shaping import ShapedVecEnv

SMALLEST_FREE_SPACE = 64 * 2**20  # bytes; a run of the default configuration writes some 20 MiB
_LOCK_PATIENCE = 3.0  # seconds: a killed run's worker processes may hold its lock for a moment longer


class RunDirectoryError(ValueError):
    """A run directory that cannot be used: says why and what to do."""


class RunDirectory:
    """A run directory that this process trains in; holds its lock until `close`.

    Make one with `create` or `open`.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock: Any = None

    @classmethod
    def create(cls, path: Path) -> RunDirectory:
        """A new run directory, locked.

        Raises:
            RunDirectoryError: it holds a run already, cannot be written, or its disk is full.
        """
        refuse_unusable(path)
        directory = cls(path)
        try:
            path.mkdir(parents=True, exist_ok=True)
            directory._acquire()
            if (path / "config.yaml").exists():
                directory.close()
                raise _holds_a_run(path)
            (path / "checkpoints").mkdir(exist_ok=True)
            _probe(path)
        except OSError as error:
            directory.close()
            raise _unwritable(path, error) from error
        return directory

    @classmethod
    def open(cls, path: Path) -> RunDirectory:
        """An existing run directory, locked, to go on with.

        Raises:
            RunDirectoryError: it is none, is in use, cannot be written, or its disk is full.
        """
        if not (path / "config.yaml").exists():
            raise RunDirectoryError(
                f"{path} is no run directory: it has no config.yaml. Give the folder that training made."
            )
        directory = cls(path)
        try:
            directory._acquire()
            _probe(path)
            (path / "checkpoints").mkdir(exist_ok=True)
            remove_unfinished(path / "checkpoints")
        except OSError as error:
            directory.close()
            raise _unwritable(path, error) from error
        return directory

    def _acquire(self) -> None:
        self._lock = (self.path / "lock").open("a+")
        give_up = time.monotonic() + _LOCK_PATIENCE
        while True:
            try:
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() < give_up:
                    time.sleep(0.1)
                    continue
                self._lock.seek(0)
                holder = self._lock.read().strip() or "another process"
                self._lock.close()
                raise RunDirectoryError(
                    f"{self.path} is in use by {holder}: two runs cannot share a directory. "
                    "Wait for it, or give this run another run_dir."
                ) from None
        self._lock.truncate(0)
        self._lock.write(f"process {os.getpid()} on {socket.gethostname()}")
        self._lock.flush()

    def close(self) -> None:
        """Let others train here."""
        if self._lock is not None and not self._lock.closed:
            self._lock.close()  # releases the lock

    def write_configuration(self, config: RunConfig, choices: Mapping[str, str]) -> None:
        """Write choices.yaml, then config.yaml, which makes the folder a run directory."""
        replace_text(self.path / "choices.yaml", yaml.safe_dump(dict(choices), sort_keys=False), durable=True)
        text = yaml.safe_dump(to_container(config), sort_keys=False, allow_unicode=True)
        sign(self.path, config, text)
        replace_text(self.path / "config.yaml", text, durable=True)

    def write_summary(self, summary: Mapping[str, Any]) -> None:
        """Write summary.json, whole or not at all."""
        replace_text(self.path / "summary.json", json.dumps(summary, indent=2) + "\n", durable=True)


@dataclass(frozen=True)
class Run:
    """What a run directory holds, to look at or to play: see `load_run`."""

    path: Path
    config: RunConfig
    choices: Mapping[str, str]
    checkpoint: Checkpoint  # the newest whole one
    trust: bool = False  # may what is in its files be unpickled?

    def state(self) -> dict[str, Any]:
        """state.pt: terms, environments' seeds, random states, logger."""
        state: dict[str, Any] = read_state(self.checkpoint.state_file, trust=self.trust)
        return state

    def experiment(self) -> Experiment:
        """The run's configuration, opened anew; its terms keep their files in this folder."""
        return assemble(replace(self.config, run_dir=str(self.path)), self.choices)

    def venv(self, n_envs: int = 8, seed: int | None = None, render_mode: str | None = None) -> ShapedVecEnv:
        """The stack that the agent trained in, on evaluation's seeds, as an agent at play sees it.

        What was learned by parts that publish is as training left it. Parts that publish nothing
        are not there.

        Args:
            n_envs: how many environments, at least: where some belong together, as many as make
                them whole.
            seed: other than the run's.
            render_mode: "rgb_array" to make `get_images` work.
        """
        env = self.experiment().build_env(
            split="eval", n_envs=n_envs, workers=0, seed=seed, render_mode=render_mode, publishing_only=True
        )
        env.load_learned(self.state()["shaping"])
        return env

    def make(self, face: str, **kwargs: Any) -> Any:
        """The environment behind another interface: "gymnasium", "parallel", "aec" or "text"."""
        return envs.make(self.config.env.id, face, **{**self.config.env.kwargs, **kwargs})

    def load_agent(self, env: ShapedVecEnv | None = None) -> BaseAlgorithm:
        """The trained agent's model; without `env` to play only."""
        return self.experiment().load_agent(self.checkpoint.path, env, trust=self.trust)

    @property
    def agent(self) -> Agent:
        """What describes the agent."""
        return agents.get(self.choices["agent"])


def load_run(run_dir: str | Path, *, trust: bool = False) -> Run:
    """The run in a directory, with its newest whole checkpoint.

    Args:
        run_dir: the directory, which may be anybody's; see docs/trust.md.
        trust: let it run code: what its configuration names by module, and pickles in its files.

    Raises:
        Untrusted: it was made elsewhere, names code, and is not trusted.
        RunDirectoryError: no run directory, no whole checkpoint, or one of another format.
    """
    path = Path(run_dir)
    config, choices = read_configuration(path)
    refuse_untrusted(path, config, trust=trust)
    checkpoint = newest_checkpoint(path)
    if checkpoint is None:
        raise RunDirectoryError(f"{path} has no whole checkpoint; it stopped before the first. Start the run anew.")
    return Run(path, config, choices, checkpoint, trust)


def newest_checkpoint(path: Path) -> Checkpoint | None:
    """The newest whole checkpoint of a run directory; None if there is none.

    Raises:
        RunDirectoryError: it has another format.
    """
    try:
        return latest_checkpoint(path / "checkpoints")
    except CheckpointFormatError as error:
        raise RunDirectoryError(str(error)) from error


def read_configuration(path: Path) -> tuple[RunConfig, dict[str, str]]:
    """config.yaml and choices.yaml.

    Raises:
        RunDirectoryError: they are missing or are no run's.
    """
    try:
        choices = read_yaml(path / "choices.yaml")
        for group in ("env", "shaping", "agent"):
            if not isinstance(choices.get(group), str):
                raise ValueError(f"{path / 'choices.yaml'} is damaged: it names no {group}")
        container = read_yaml(path / "config.yaml")
        refuse_interpolations(container)
        config = replace(from_container(container), trust=False)  # it is not the run that says whether it is trusted
    except FileNotFoundError as error:
        raise RunDirectoryError(
            f"{path} is no run directory: it has no {Path(error.filename).name}. Give the folder that training made."
        ) from error
    except (ValueError, TypeError) as error:
        raise RunDirectoryError(f"{path}: its configuration cannot be read: {error}") from error
    return config, choices


def read_yaml(path: Path) -> dict[str, Any]:
    """A YAML file that holds a mapping.

    Raises:
        ValueError: it is damaged, or holds something else; names the file.
        OSError: it is not there, or cannot be read.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is damaged: {str(error).splitlines()[0]}") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path} is damaged: it holds no mapping")
    return content


def refuse_unusable(path: Path) -> None:
    """Raises RunDirectoryError where a new run cannot go to `path`; makes nothing there."""
    try:
        if (path / "config.yaml").exists():
            raise _holds_a_run(path)
        parent = path
        while not parent.exists():
            parent = parent.parent
    except OSError as error:  # a name that is too long, or a folder that nobody may look into
        raise RunDirectoryError(f"run_dir={_short(path)} cannot be: {error.strerror}. Give another run_dir.") from error
    if not parent.is_dir():
        raise RunDirectoryError(f"run_dir={path} cannot be made: {parent} is a file. Give another run_dir.")
    try:
        _probe(parent)
    except OSError as error:
        raise _unwritable(path, error) from error


def _probe(folder: Path) -> None:
    """Write a file there and remove it again. Raises OSError."""
    free = shutil.disk_usage(folder).free
    if free < SMALLEST_FREE_SPACE:
        raise OSError(f"only {free / 2**20:.0f} MiB are free there, and a run needs {SMALLEST_FREE_SPACE / 2**20:.0f}")
    with tempfile.NamedTemporaryFile(dir=folder, prefix=".probe-") as file:
        file.write(bytes(4096))
        file.flush()
        os.fsync(file.fileno())


def _short(path: Path) -> str:
    text = str(path)
    return text if len(text) <= 100 else f"{text[:60]}...{text[-20:]}"


def _holds_a_run(path: Path) -> RunDirectoryError:
    return RunDirectoryError(f"{path} holds a run already. Go on with it by resume={path}, or give another run_dir.")


def _unwritable(path: Path, error: OSError) -> RunDirectoryError:
    return RunDirectoryError(f"{path} cannot be written: {error}. Make room or give a run_dir on another disk.")
