"""Steps and episodes of a training, counted where they are played, in whatever process that is.

Every peer counts for itself, in its own way and at its own moments. So the games count: each has a
row of numbers in a file that all processes have in memory, and adds a line to another at the end of
an episode.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np

from envs.typing import Array
from scripts.benchmarks.peers.key_room import Observation, PaidEvents, key_room
from scripts.running.finished_episodes import FinishedEpisodes

COUNTED, FIRST, LATEST, READY = range(4)  # columns: steps, the times of the first and the latest, is it ready?
PATIENCE = 300
"""Seconds that a game waits for the others to be ready."""


class Played:
    """What all games together have played.

    Time begins with the first step, and no game makes one before all are ready: processes that are
    still starting up cost nothing.

    Args:
        folder: where the files are.
        n_envs: how many games there are.
        success: the rate over the last 100 episodes to look for.
    """

    def __init__(self, folder: Path, n_envs: int, success: float) -> None:
        self._table, self._lines = folder / "played.bin", folder / "episodes.txt"
        if not self._table.exists():
            np.zeros((n_envs, 4)).tofile(self._table)
            self._lines.touch()
        self._rows = rows(folder, n_envs)
        self._episodes = FinishedEpisodes(success)
        self._read = 0

    def steps(self) -> int:
        """Environment steps so far."""
        return int(self._rows[:, COUNTED].sum())

    def seconds(self) -> float:
        """From the beginning to the latest step."""
        return max(0.0, float(self._rows[:, LATEST].max()) - self._beginning())

    def reached(self) -> dict[str, Any] | None:
        """Steps and seconds at the end of the episode with which the rate was first enough."""
        with self._lines.open() as file:
            file.seek(self._read)
            news = file.read()
        whole = news[: news.rfind("\n") + 1]
        self._read += len(whole)
        for line in whole.splitlines():
            success, steps, moment = line.split()
            seconds = float(moment) - self._beginning()
            self._episodes.add([True], [{"is_success": success == "True"}], int(steps), seconds)
        return self._episodes.reached

    def _beginning(self) -> float:
        first = self._rows[:, FIRST]
        return float(first[first > 0].min(initial=np.inf))


class Counted(gymnasium.Wrapper[Observation, Any, Observation, Any]):
    """Counts the steps and episodes of one game; its first episode is that of its own seed.

    Peers seed their environments by the environment's number alone, or not at all.

    Args:
        env: the game.
        folder: where the files are.
        n_envs: how many games there are.
        index: which of them this is.
        seed: of the training.
        warm_up: steps that a peer plays at random before it begins; they do not count.
    """

    def __init__(self, env: PaidEvents, folder: Path, n_envs: int, index: int, seed: int, warm_up: int = 0) -> None:
        super().__init__(env)
        self._rows = rows(folder, n_envs)
        self._row = self._rows[index]
        self._lines = (folder / "episodes.txt").open("a", buffering=1)
        self._seed: int | None = 1_000 * seed + index
        self._warm_up = warm_up
        self._row[READY] = float(not warm_up)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        own, self._seed = self._seed, None
        return self.env.reset(seed=own)

    def step(self, action: Any) -> tuple[Observation, Any, bool, bool, dict[str, Any]]:
        if self._warm_up:
            self._warm_up -= 1
            self._row[READY] = float(not self._warm_up)
            return self.env.step(action)
        if not self._row[COUNTED]:
            self._wait_for_all()
            self._row[FIRST] = time.monotonic()
        played = self.env.step(action)
        self._row[LATEST] = time.monotonic()
        self._row[COUNTED] += 1
        if played[2] or played[3]:
            steps, success = int(self._rows[:, COUNTED].sum()), bool(played[4].get("is_success", False))
            self._lines.write(f"{success} {steps} {self._row[LATEST]}\n")
        return played

    def _wait_for_all(self) -> None:
        deadline = time.monotonic() + PATIENCE
        while not self._rows[:, READY].all():
            if time.monotonic() > deadline:
                raise RuntimeError(f"{int((self._rows[:, READY] == 0).sum())} games were not ready in {PATIENCE} s")
            time.sleep(0.01)


def counted_key_room(world: str, folder: str, n_envs: int, index: int, seed: int, warm_up: int = 0) -> Counted:
    """One game of a training; see `Counted`."""
    return Counted(key_room(world), Path(folder), n_envs, index, seed, warm_up)


def rows(folder: Path, n_envs: int) -> Array:
    """The counts of all games, (n_envs, 4), in memory that all processes share."""
    return np.asarray(np.memmap(folder / "played.bin", np.float64, "r+", shape=(n_envs, 4)))  # plain: quick to index
