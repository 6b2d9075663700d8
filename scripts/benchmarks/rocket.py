"""Steps a second of Rocket, layer by layer, beside RocketSim alone and rlgym 2."""

from __future__ import annotations

import contextlib
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from envs import Request
from envs.rocket import MatchConfig, RocketVecEnv
from envs.rocket.actions import lookup_table
from envs.rocket.matches import Matches
from envs.rocket.starts import kickoff
from scripts.benchmarks.timed_vec_env import TimedVecEnv
from scripts.benchmarks.turns import Arguments, compared, median_of_turns
from shaping import ShapedVecEnv, make_term
from shaping.kinesthetic import KinestheticTerm

RLGYM = "rlgym-rocket-league[sim]==2.0.1"
CARS = (1, 2)
TICKS = 8
EPISODE = 45 * 15  # steps in which nobody touches the ball


def rocket(arguments: Arguments) -> dict[str, Any]:
    """Steps of whole matches, layer by layer; {"rows": [...], "ratios": {...}}."""
    rows: list[dict[str, Any]] = []
    claimed: dict[str, float] = {}
    with rlgym_python(arguments.rlgym) as python:
        for cars in CARS:
            rlgym = None if python is None else RlgymProcess(python, cars)
            added: list[float] = []
            measured = median_of_turns(
                paths(cars, arguments.n_envs, arguments.workers, arguments.steps, rlgym, added), arguments.repeats
            )
            if rlgym is not None:
                rlgym.close()
            medians = {name: statistics.median(speeds) for name, speeds in measured.items()}
            rows += compared(f"{cars}v{cars}", measured, RAW)
            claimed |= ratios(medians, statistics.median(added), f"{cars}v{cars}")
    return {"rows": rows, "ratios": {name: round(value, 4) for name, value in claimed.items()}}


def paths(
    cars: int, arenas: int, workers: int, steps: int, rlgym: RlgymProcess | None, added: list[float]
) -> dict[str, Callable[[], float]]:
    """Name of a path -> a function that measures it once.

    A step is one of an arena, whatever its cars.
    Every measurement of `FULL` puts into `added` what the reward adds to the time of a step.
    """
    raw, flat, seen = RawPhysics(cars, arenas), _matches(cars, arenas, "flat"), _matches(cars, arenas, "lucy")
    full = _shaped(cars, arenas, 0)
    layers: dict[str, Callable[[], float]] = {
        RAW: lambda: raw.speed(steps),
        FLAT: Played(flat, cars, steps),
        LUCY_OBSERVATION: Played(seen, cars, steps),
        FULL: Played(full, cars, steps, added),
    }
    if workers:
        layers[f"{FULL}, {workers + 1} processes"] = Played(_shaped(cars, arenas, workers), cars, steps)
    if rlgym is not None:
        layers[RLGYM_PATH] = lambda: rlgym.speed(max(1, steps // 8))
    return layers


RAW = "RocketSim's Arena.step alone"
FLAT = "ours, flat observation"
LUCY_OBSERVATION = "ours, Lucy observation"
FULL = "ours, Lucy observation and reward"
RLGYM_PATH = "rlgym 2, its default observation, no reward"


def ratios(medians: dict[str, float], added: float, task: str) -> dict[str, float]:
    """What is claimed, by name: a process of ours against rlgym's; with `_workers`, all of ours."""
    claimed = {
        f"flat_vs_raw_{task}": medians[FLAT] / medians[RAW],
        f"full_vs_raw_{task}": medians[FULL] / medians[RAW],
        f"reward_adds_{task}": added,
    }
    if RLGYM_PATH in medians:
        claimed[f"full_vs_rlgym_{task}"] = medians[FULL] / medians[RLGYM_PATH]
        for name, speed in medians.items():
            if name.startswith(f"{FULL}, "):
                claimed[f"full_vs_rlgym_{task}_workers"] = speed / medians[RLGYM_PATH]
    return claimed


class RawPhysics:
    """`Arena.step(8)` and nothing else, one arena after another on one core.

    Cars do what the ninety actions have them do, drawn anew while the clock stands still, and
    matches begin anew after the time that random play without a touch has in an episode.
    """

    def __init__(self, cars: int, arenas: int) -> None:
        self._matches, self._random = Matches(arenas, cars, cars), np.random.default_rng(0)
        self._controls = [self._matches._new_controls(row) for row in lookup_table()]
        self._steps = 0

    def speed(self, steps: int) -> float:
        """Arena steps a second."""
        matches, spent, played = self._matches, 0.0, 0
        while played < steps:
            if self._steps % EPISODE == EPISODE - 1:
                for arena in range(matches.n_arenas):
                    matches.reset(arena, kickoff(self._random, matches.orange))
            for group in matches._cars:
                for car, chosen in zip(group, self._random.integers(len(self._controls), size=len(group)), strict=True):
                    car.set_controls(self._controls[chosen])
            start = time.perf_counter()
            for arena in matches._arenas:
                arena.step(TICKS)
            spent += time.perf_counter() - start
            played += matches.n_arenas
            self._steps += 1
        return played / spent


class Played:
    """Arena steps a second of a vector environment under random actions, resets included.

    Play goes on from call to call.

    Two measurements differ by more than a reward costs, as the machine drifts. So a clock under the
    reward tells `added` how much longer a step is with the reward than without.
    """

    def __init__(self, venv: Any, cars: int, steps: int, added: list[float] | None = None) -> None:
        self._venv, self._added = venv, added
        self._arenas = venv.num_envs // (2 * cars)
        self._turns = max(1, steps // self._arenas)
        self._random = np.random.default_rng(0)
        venv.reset()

    def __call__(self) -> float:
        actions = self._random.integers(90, size=(self._turns, self._venv.num_envs))
        within = self._venv.venv.seconds if self._added is not None else 0.0
        start = time.perf_counter()
        for turn in range(self._turns):
            self._venv.step(actions[turn])
        spent = time.perf_counter() - start
        if self._added is not None:
            within = self._venv.venv.seconds - within
            self._added.append((spent - within) / within)
        return self._turns * self._arenas / spent


def _matches(cars: int, arenas: int, observation: str, *, workers: int = 0, states: bool = False) -> RocketVecEnv:
    request = Request(2 * cars * arenas, workers=workers, report=("states",) if states else ())
    return RocketVecEnv(MatchConfig(cars, cars, observation=observation), request)


def _shaped(cars: int, arenas: int, workers: int) -> ShapedVecEnv:
    matches = _matches(cars, arenas, "lucy", workers=workers, states=True)
    term = make_term("kinesthetic", **KinestheticTerm.presets["lucy"])
    return ShapedVecEnv(TimedVecEnv(matches), {"kinesthetic": term}, gamma=0.99539)


class RlgymProcess:
    """rlgym 2 in a process of its own Python; see `rlgym_speed.py`."""

    def __init__(self, python: str | Path, cars: int) -> None:
        script = Path(__file__).with_name("rlgym_speed.py")
        self._process = subprocess.Popen(
            [str(python), str(script), str(cars)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._answer()

    def speed(self, steps: int) -> float:
        """Environment steps a second."""
        assert self._process.stdin is not None
        print(steps, file=self._process.stdin, flush=True)
        return float(self._answer())

    def _answer(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"rlgym ended with status {self._process.wait()}; what it said stands above")
        return line

    def close(self) -> None:
        """End it."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(timeout=10)


@contextlib.contextmanager
def rlgym_python(choice: str) -> Iterator[Path | None]:
    """A Python that has rlgym 2.

    Args:
        choice: "install" makes an environment that is thrown away, "none" gives None, and anything
            else is the path of such a Python.

    Raises:
        ValueError: there is no such Python.
    """
    if choice == "none":
        yield None
    elif choice != "install":
        if not Path(choice).is_file():
            raise ValueError(f"rlgym={choice}: expected install, none, or a Python that has {RLGYM}")
        yield Path(choice)
    else:
        with tempfile.TemporaryDirectory() as folder:
            print(f"  installing {RLGYM} into an environment that is thrown away ...", file=sys.stderr, flush=True)
            venv.create(folder, with_pip=True)
            python = Path(folder) / "bin" / "python"
            done = subprocess.run(
                [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", RLGYM], check=False
            )
            if done.returncode:
                print(f"  {RLGYM} does not install here: its rows are left out", file=sys.stderr, flush=True)
            yield None if done.returncode else python
