"""Who plays genomes, an episode each: environments of a run, or a world's compiled loop."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
from stable_baselines3.common.vec_env import VecEnv

from agents.quality_diversity.novelty import FloatArray, IntArray
from agents.quality_diversity.senses import Senses
from foundation.genome_policy import GenomePolicy
from shaping import ShapedVecEnv

Array = npt.NDArray[Any]
AREA = "area"
"""The entry of an episode's last info that names the goal that was reached, from 0; −1: none."""
Step = Callable[[Array], Any]
"""Actions of all rows -> SB3's (observations, rewards, dones, infos); None: training stops."""


class Outcome(NamedTuple):
    """What came of an episode each; n genomes first.

    Attributes:
        rewards: what the run pays, summed, (n,).
        tasks: the task's own return, (n,).
        lengths: steps, (n,).
        areas: the goal that was reached, (n,); −1: none.
        paths: positions at the times that were asked for, (n, times, 2); an episode that ends early
            repeats its last.
        views: images at the frames that were asked for, (n, frames, h, w, 3) uint8; None: none.
    """

    rewards: FloatArray
    tasks: FloatArray
    lengths: IntArray
    areas: IntArray
    paths: FloatArray
    views: Array | None

    @classmethod
    def joined(cls, parts: list[Outcome]) -> Outcome:
        """One after the other."""
        columns: list[Any] = list(zip(*parts, strict=True))
        joined: list[Any] = [None if column[0] is None else np.concatenate(column) for column in columns]
        return cls(*joined)


class Evaluator(Protocol):
    """Plays genomes; no episode has more than `horizon` steps."""

    horizon: int

    def __call__(self, genomes: FloatArray, times: IntArray, frames: IntArray, step: Step) -> Outcome | None:
        """An episode of each genome (n, D); None: training stops.

        Args:
            genomes: to play.
            times, frames: steps, from 0 and rising, after which to look where one is, and how it
                looks.
            step: plays a step of the run's environments.
        """

    def untold(self, outcome: Outcome) -> int | None:
        """Steps that `step` was not asked for, to be counted for it; None where it was for all."""


class CompiledEvaluator:
    """Whole episodes in a world's own compiled loop (`rollouts` of small worlds).

    Args:
        world: has `rollouts`, `views`, `outputs` and `max_episode_steps`.
        policy: what genomes are the weights of.
        size: of images, in pixels.
        factor: of the task's reward, which is all that is paid.
        threads: that share the genomes.
    """

    def __init__(self, world: Any, policy: GenomePolicy, *, size: int, factor: float, threads: int) -> None:
        self.world, self.size, self.factor, self.threads = world, size, factor, threads
        self.hidden = policy.sizes[1:-1]
        self.horizon = int(world.max_episode_steps)

    def __call__(self, genomes: FloatArray, times: IntArray, frames: IntArray, step: Step) -> Outcome | None:
        looks = np.unique(np.concatenate([times, frames]))
        played = self.world.rollouts(genomes, self.hidden, looks, self.threads)
        views = None
        if len(frames):
            states = played.states[:, np.searchsorted(looks, frames)]
            drawn = self.world.views(states.reshape(-1, states.shape[2]), self.size)
            views = drawn.reshape(len(genomes), len(frames), *drawn.shape[1:])
        paths = played.positions[:, np.searchsorted(looks, times)]
        return Outcome(self.factor * played.rewards, played.rewards, played.lengths, played.areas, paths, views)

    def film(self, genomes: FloatArray, times: IntArray, size: int) -> Array:
        """Pictures for people after these steps, (n, times, size, size, 3) uint8."""
        played = self.world.rollouts(genomes, self.hidden, times, self.threads)
        clips = [self.world.pictures(states, size) for states in played.states]
        return np.stack(clips)

    def untold(self, outcome: Outcome) -> int:
        return int(outcome.lengths.sum())


class SteppedEvaluator:
    """Rows of the run's environments, each playing the episode of one genome.

    All rows play one episode, and every wave of rows plays it again, so what comes of a genome does
    not depend on how many rows there are, nor on the processes that step them.

    Args:
        env: of the run: terms, combiner and transforms pay.
        senses: what is seen, where one is, and how that looks.
        policy: what genomes are the weights of.
        horizon: steps of the longest episode.
        seed: of the episode.
    """

    def __init__(self, env: VecEnv, senses: Senses, policy: GenomePolicy, *, horizon: int, seed: int) -> None:
        self.env, self.senses, self.policy, self.horizon, self.seed = env, senses, policy, horizon, seed

    def __call__(self, genomes: FloatArray, times: IntArray, frames: IntArray, step: Step) -> Outcome | None:
        waves = []
        for start in range(0, len(genomes), self.env.num_envs):
            wave = self._wave(genomes[start : start + self.env.num_envs], times, frames, step)
            if wave is None:
                return None
            waves.append(wave)
        return Outcome.joined(waves)

    def untold(self, outcome: Outcome) -> None:
        return None

    def _wave(self, genomes: FloatArray, times: IntArray, frames: IntArray, step: Step) -> Outcome | None:
        rows, n = self.env.num_envs, len(genomes)
        playing = np.concatenate([genomes, np.repeat(genomes[-1:], rows - n, axis=0)])
        self.env.seed(self.seed)
        seen: Any = self.env.reset()
        running = np.arange(rows) < n
        rewards, tasks = np.zeros(n), np.zeros(n)
        lengths, areas = np.zeros(n, np.int64), np.full(n, -1)
        paths = np.full((n, len(times), 2), np.nan)
        looks = {*times.tolist(), *frames.tolist()}
        views = np.zeros((n, len(frames), self.senses.size, self.senses.size, 3), np.uint8) if len(frames) else None
        for now in range(self.horizon):
            result = step(self.senses.actions(self.policy.act(playing, self.senses.vector(seen))))
            if result is None:
                return None
            seen, paid, dones, infos = result
            rewards += np.where(running, paid, 0.0)[:n]
            lengths += running[:n]
            for row in np.flatnonzero(running & (dones | (now in looks))).tolist():
                over, info = bool(dones[row]), infos[row]
                last = info["terminal_observation"] if over else _row(seen, row)
                at = (times >= now) if over else (times == now)
                paths[row, at] = self.senses.position(last, info)
                if views is not None:
                    shown = (frames >= now) if over else (frames == now)
                    if shown.any():
                        views[row, shown] = self.senses.picture(last)
                if over:
                    tasks[row] = float(info["episode"]["r"])
                    areas[row] = int(info.get(AREA, 0 if info.get("is_success") else -1))
            running &= ~dones
            if not running.any():
                break
        return Outcome(rewards, tasks, lengths, areas, paths, views)


def make_evaluator(
    env: VecEnv, senses: Senses, policy: GenomePolicy, *, size: int, horizon: int, seed: int, threads: int
) -> Evaluator:
    """Who plays genomes in `env`: its world's compiled loop, else its rows.

    There must be such a loop, and it plays to the world's own time limit alone.

    Args:
        env, senses, policy, horizon, seed: see `SteppedEvaluator`.
        size, threads: see `CompiledEvaluator`.
    """
    world, factor = compiled_world(env)
    if world is not None and horizon == world.max_episode_steps:
        return CompiledEvaluator(world, policy, size=size, factor=factor, threads=threads)
    return SteppedEvaluator(env, senses, policy, horizon=horizon, seed=seed)


def compiled_world(env: VecEnv) -> tuple[Any, float]:
    """The world whose compiled loop may stand for `env`, and what its reward is multiplied by.

    None where there is no such loop, or where anything but the task's reward is paid.
    """
    world = getattr(env, "unwrapped", env)
    factor = task_factor(env)
    return (None, 1.0) if factor is None or not hasattr(world, "rollouts") else (world, factor)


def task_factor(env: VecEnv) -> float | None:
    """What the task's reward is multiplied by; None where anything else is paid."""
    return env.shaper.task_factor if isinstance(env, ShapedVecEnv) else 1.0


def _row(observations: Any, row: int) -> Any:
    if isinstance(observations, dict):
        return {key: entry[row] for key, entry in observations.items()}
    return observations[row]
