"""Genomes played once more: what is paid now, the whole path, and pictures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from stable_baselines3.common.vec_env import VecEnv

from agents.quality_diversity.evaluators import CompiledEvaluator, Outcome, SteppedEvaluator, compiled_world
from agents.quality_diversity.novelty import FloatArray, IntArray
from agents.quality_diversity.population import Population

Picture = npt.NDArray[np.uint8]
NOTHING: IntArray = np.zeros(0, np.int64)


def replay(model: Population, genomes: FloatArray) -> Outcome:
    """An episode of each, as they were evaluated: the episode of the model's own seed.

    Args:
        model: with environments.
        genomes: (n, D).

    Returns:
        What came of it, with the place after every step: paths are (n, horizon, 2).
    """
    assert model.env is not None
    outcome = model.evaluator(genomes, np.arange(model.evaluator.horizon), NOTHING, model.env.step)
    assert outcome is not None
    return outcome


def film(
    model: Population,
    genomes: FloatArray,
    lengths: npt.NDArray[Any],
    pictures: int,
    size: int,
    build: Callable[[int], VecEnv],
) -> list[list[Picture]]:
    """The same episodes in pictures, taken at the same steps, more often while all still play.

    Args:
        model: with environments.
        genomes: (n, D).
        lengths: steps of their episodes, (n,).
        pictures: of a clip, at most: evenly, or half of them before the shortest episode ends.
        size: of pictures that worlds with compiled rules draw, in pixels; others have their own.
        build: gives so many environments that draw, in the run's own stack; they are closed.

    Raises:
        ValueError: the environment draws nothing.
    """
    shortest, longest = int(lengths.min()), int(lengths.max())
    early = pictures // 2 if shortest < longest else 0
    instants = [np.linspace(0, shortest - 1, early), np.linspace(0, longest - 1, pictures - early)]
    times: IntArray = np.unique(np.concatenate(instants).round().astype(np.int64))
    if isinstance(model.evaluator, CompiledEvaluator):
        films = model.evaluator.film(genomes, times, size)
        over = [int((times < length).sum()) for length in lengths]
        return [list(each[:last]) for each, last in zip(films, over, strict=True)]
    env = build(len(genomes))
    try:
        evaluator = _stepped(model, env, model.seed or 0)
        camera = Camera(env, len(genomes), times)
        evaluator(genomes, NOTHING, NOTHING, camera.step)
    finally:
        env.close()
    if not all(camera.clips):
        raise ValueError("the environment draws nothing")
    return camera.clips


def rewards_elsewhere(model: Population, env: VecEnv, genomes: FloatArray, seeds: Sequence[int]) -> FloatArray:
    """What genomes are paid in other episodes, (n, seeds); all play the same.

    Args:
        model: whose policies play.
        env: environments that are alike, with what the run pays.
        genomes: (n, D).
        seeds: of the episodes.
    """
    paid = []
    for seed in seeds:
        outcome = _stepped(model, env, seed)(genomes, NOTHING, NOTHING, env.step)
        assert outcome is not None
        paid.append(outcome.rewards)
    return np.stack(paid, axis=1)


def is_certain(env: VecEnv) -> bool:
    """Is every episode of a genome the same, and is nothing else paid than the task?"""
    return compiled_world(env)[0] is not None


def _stepped(model: Population, env: VecEnv, seed: int) -> SteppedEvaluator:
    return SteppedEvaluator(env, model.senses, model.network, horizon=model.settings["horizon"], seed=seed)


class Camera:
    """Steps environments, and takes a picture of every row that still plays before some steps.

    Args:
        env: whose `get_images` draws; rows without a picture have none.
        rows: that play.
        times: steps, from 0, before which to look.
    """

    def __init__(self, env: VecEnv, rows: int, times: IntArray) -> None:
        self.env, self.times, self.now = env, set(times.tolist()), 0
        self.running = np.arange(env.num_envs) < rows
        self.clips: list[list[Picture]] = [[] for _ in range(rows)]

    def step(self, actions: Any) -> Any:
        """SB3's `step`."""
        if self.now in self.times:
            images = self.env.get_images()
            for row in np.flatnonzero(self.running).tolist():
                if images[row] is not None:
                    self.clips[row].append(np.array(images[row], np.uint8))
        result = self.env.step(actions)
        self.running &= ~np.asarray(result[2])
        self.now += 1
        return result
