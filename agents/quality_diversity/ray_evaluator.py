"""Genomes played by the actors of a Ray cluster: other processes, on this machine or on others."""

from __future__ import annotations

import os
import platform
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from importlib.util import find_spec
from itertools import pairwise
from typing import Any, Protocol

import numpy as np
from stable_baselines3.common.vec_env import VecEnv, VecMonitor

from agents.quality_diversity.evaluators import Evaluator, Outcome, Step, SteppedEvaluator, make_evaluator
from agents.quality_diversity.novelty import FloatArray, IntArray
from agents.quality_diversity.senses import Senses
from foundation.genome_policy import GenomePolicy
from shaping import ShapedVecEnv
from shaping.combine import WeightedSum
from shaping.parts import TASK

SECONDS_TO_START = 300.0
"""A new process imports torch and compiles loops, on a machine where others may be busy."""
SAME = ("numpy", "numba", "gymnasium", "stable-baselines3")
"""Packages whose versions must be those of this process, or results would differ."""


class Recipe(Protocol):
    """How the run's environments were made; can be pickled."""

    def make(self, rows: int) -> VecEnv:
        """So many rows of the same again, or as many more as make whole groups."""


@dataclass(frozen=True)
class Plan:
    """What an actor makes its evaluator of.

    Attributes:
        recipe: of its environments.
        rows: of them.
        factor: of the task's reward, which is all that is paid.
        senses, policy, size, horizon, seed: see `make_evaluator`.
    """

    recipe: Recipe
    rows: int
    factor: float
    senses: Senses
    policy: GenomePolicy
    size: int
    horizon: int
    seed: int

    def evaluator(self) -> tuple[VecEnv, Evaluator]:
        """Environments of its own, and who plays in them."""
        paid = WeightedSum({TASK: self.factor})
        env = ShapedVecEnv(VecMonitor(self.recipe.make(self.rows)), {}, combiner=paid, gamma=1.0)
        return env, make_evaluator(
            env, self.senses, self.policy, size=self.size, horizon=self.horizon, seed=self.seed, threads=1
        )


class Performer:
    """An actor: plays the genomes that it is sent, in environments of its own."""

    def __init__(self, plan: Plan) -> None:
        self.env, self.evaluator = plan.evaluator()

    def ready(self) -> dict[str, str]:
        """The versions that it plays with."""
        return _versions()

    def play(self, genomes: FloatArray, times: IntArray, frames: IntArray) -> Outcome:
        """See `Evaluator`."""
        # what Ray delivers is read-only, and compiled loops refuse it
        outcome = self.evaluator(genomes.copy(), times.copy(), frames.copy(), self.env.step)
        assert outcome is not None
        return outcome


class RayEvaluator:
    """Actors of a Ray cluster, each playing a contiguous slice of the genomes.

    Results are those of one process, to the bit, whatever the number of actors. An actor that dies
    is made anew, and its slice is played again, once. What dies twice counts as failed: no steps, a
    reward of −inf, nowhere.

    It connects to the cluster of the variable RAY_ADDRESS; where that is not set it starts one on
    this machine, which ends with this process.

    Args:
        env: of the run.
        own: who would play in this process.
        plan: for the actors; `rows` is of all of them together.
        actors: how many; None: one for each CPU of the cluster.

    Raises:
        ValueError: there is no Ray, or the cluster cannot have these actors, or they are not fit.
    """

    def __init__(self, own: Evaluator, plan: Plan, actors: int | None) -> None:
        self._ray = _cluster(actors)
        cpus = int(self._ray.cluster_resources().get("CPU", 0))
        count = cpus if actors is None else actors
        if not 1 <= count <= cpus:
            raise ValueError(
                f"workers=ray:{count}: an actor needs a CPU, and the cluster has {cpus}. Give workers=ray for as many "
                "as there are, or add machines to the cluster"
            )
        self.horizon = own.horizon
        self._rows = plan.rows if isinstance(own, SteppedEvaluator) else 1
        self._size = plan.size
        self._plan = replace(plan, rows=-(-plan.rows // count))
        self.actors: list[Any] = self._started(count)

    def __call__(self, genomes: FloatArray, times: IntArray, frames: IntArray, step: Step) -> Outcome | None:
        bounds = np.linspace(0, len(genomes), len(self.actors) + 1).round().astype(int).tolist()
        slices = [genomes[first:last] for first, last in pairwise(bounds) if last > first]
        outcomes: list[Outcome | None] = [None] * len(slices)
        for _ in range(2):
            self._play(slices, outcomes, times, frames)
        lost = sum(len(part) for part, outcome in zip(slices, outcomes, strict=True) if outcome is None)
        if lost:
            warnings.warn(
                f"{lost} evaluations failed: the actor that played them died, and so did the one that played them "
                "again. The run goes on without them; look at what the environment does there, and at memory",
                stacklevel=2,
            )
        return Outcome.joined(
            [
                self._nothing(len(part), len(times), len(frames)) if outcome is None else outcome
                for part, outcome in zip(slices, outcomes, strict=True)
            ]
        )

    def untold(self, outcome: Outcome) -> int:
        """As many steps as this process would have counted."""
        lengths, rows = outcome.lengths, self._rows
        return rows * sum(int(lengths[start : start + rows].max()) for start in range(0, len(lengths), rows))

    def close(self) -> None:
        """End all actors: their CPUs are free for others."""
        for actor in self.actors:
            self._ray.kill(actor)
        self.actors = []

    def _play(
        self, slices: Sequence[FloatArray], outcomes: list[Outcome | None], times: IntArray, frames: IntArray
    ) -> None:
        """Play what has no outcome yet; actors that die over it are replaced."""
        missing = [index for index, outcome in enumerate(outcomes) if outcome is None]
        calls = []
        for index in missing:
            actor = self.actors[index % len(self.actors)]
            calls.append((index, actor, actor.play.remote(slices[index], times, frames)))
        died: list[Any] = []
        for index, actor, call in calls:
            try:
                outcomes[index] = self._ray.get(call)
            except _deaths(self._ray):
                if actor not in died:
                    died.append(actor)
        for actor in died:
            self._replace(actor)

    def _replace(self, actor: Any) -> None:
        """A new actor in the place of one that died; nobody where the cluster has no CPU left."""
        place = self.actors.index(actor)
        self._ray.kill(actor)
        try:
            self.actors[place : place + 1] = self._started(1)
        except ValueError as error:
            del self.actors[place]
            if not self.actors:
                raise RuntimeError(f"every actor died, and no new one could be started: {error}") from error
            warnings.warn(f"an actor died and is not replaced, {len(self.actors)} go on: {error}", stacklevel=4)

    def _started(self, count: int) -> list[Any]:
        """So many new actors, ready to play."""
        ray = self._ray
        make = ray.remote(num_cpus=1, max_restarts=0, max_task_retries=0, scheduling_strategy="SPREAD")(Performer)
        plan = ray.put(self._plan)
        actors = [make.remote(plan) for _ in range(count)]
        calls = [actor.ready.remote() for actor in actors]
        _, late = ray.wait(calls, num_returns=count, timeout=SECONDS_TO_START)
        if late:
            raise ValueError(
                f"{len(late)} of {count} actors did not start within {SECONDS_TO_START:.0f} s: their CPUs are taken "
                "(`ray status` tells), or the machine is. Give fewer, as in workers=ray:1, or wait"
            )
        try:
            theirs = ray.get(calls)
        except _deaths(ray) as error:
            raise ValueError(
                "an actor could not make the environment that this process made. Every machine of the cluster needs "
                f"the same code in the same place, and the same packages; its own words: {error}"
            ) from error
        here = _versions()
        for versions in theirs:
            different = [f"{name} {versions[name]}, here {here[name]}" for name in here if versions[name] != here[name]]
            if different:
                raise ValueError(f"an actor has {'; '.join(different)}: install the same versions on every machine")
        return actors

    def _nothing(self, n: int, times: int, frames: int) -> Outcome:
        """Of n genomes that nobody could play."""
        return Outcome(
            rewards=np.full(n, -np.inf),
            tasks=np.full(n, np.nan),
            lengths=np.zeros(n, np.int64),
            areas=np.full(n, -1),
            paths=np.full((n, times, 2), np.nan),
            views=np.zeros((n, frames, self._size, self._size, 3), np.uint8) if frames else None,
        )


def _cluster(actors: int | None) -> Any:
    """The module `ray`, connected."""
    if find_spec("ray") is None:
        raise ValueError("workers=ray needs Ray, which is not installed: run `make setup EXTRAS=ray`")
    import ray

    if not ray.is_initialized():
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # a run tells nobody of itself
        if os.environ.get("RAY_ADDRESS"):
            try:
                ray.init(log_to_driver=False, logging_level="WARNING")
            except ConnectionError as error:
                raise ValueError(
                    f"RAY_ADDRESS={os.environ['RAY_ADDRESS']}: there is no cluster ({error}). Start one by `ray start "
                    "--head`, or unset the variable to start one on this machine alone"
                ) from error
        else:
            cpus = max(actors or 0, os.cpu_count() or 1)
            ray.init("local", num_cpus=cpus, include_dashboard=False, log_to_driver=False, logging_level="WARNING")
    return ray


def _deaths(ray: Any) -> tuple[type[Exception], ...]:
    """What Ray raises where an actor, or the machine that it was on, is gone."""
    errors = ray.exceptions
    return errors.RayActorError, errors.WorkerCrashedError, errors.NodeDiedError, errors.OutOfMemoryError


def _versions() -> dict[str, str]:
    return {"python": platform.python_version(), **{name: version(name) for name in SAME}}
