"""Genomes played once more: what is paid now, the whole path, and pictures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from stable_baselines3.common.vec_env import VecEnv

from agents.quality_diversity.evaluators import CompiledEvaluator, Outcome, SteppedEvaluator, compiled_world
from agents.quality_diversity.novelty import FloatArray, IntArray
from agents.quality_diversity.population import Population

Picture = npt.NDArray[np.uint8]
NOTHING: IntArray = np.zeros(0, np.int64)


class Replay(NamedTuple):
    """What came of playing n genomes again.

    Attributes:
        outcome: with the place after every step, (n, horizon, 2).
        times: steps after which, or before which, pictures were taken, (k,).
        clips: of each, its pictures, at most k; [] where there are none.
    """

    outcome: Outcome
    times: IntArray
    clips: list[list[Picture]]


def replay(model: Population, genomes: FloatArray, pictures: int = 0, size: int = 160) -> Replay:
    """An episode of each, as they were evaluated: the episode of the model's own seed.

    Args:
        model: with environments.
        genomes: (n, D).
        pictures: of a clip, at most, evenly over the longest episode; 0: none. Rows of
            environments are drawn where these draw.
        size: of pictures that worlds with compiled rules draw, in pixels; others have their own.
    """
    evaluator, env = model.evaluator, model.env
    assert env is not None
    every = np.arange(evaluator.horizon)
    outcome = evaluator(genomes, every, NOTHING, env.step)
    assert outcome is not None
    if not pictures:
        return Replay(outcome, NOTHING, [])
    longest = int(outcome.lengths.max())
    times: IntArray = np.unique(np.linspace(0, longest - 1, pictures).round().astype(np.int64))
    if isinstance(evaluator, CompiledEvaluator):
        films = evaluator.film(genomes, times, size)
        over = [int((times < length).sum()) for length in outcome.lengths]
        return Replay(outcome, times, [list(film[:last]) for film, last in zip(films, over, strict=True)])
    clips: list[list[Picture]] = []
    for start in range(0, len(genomes), env.num_envs):
        film = Film(env, len(genomes[start : start + env.num_envs]), times)
        evaluator(genomes[start : start + env.num_envs], every[:1], NOTHING, film.step)
        clips += film.clips
    return Replay(outcome, times, clips if all(clips) else [])


def rewards_elsewhere(model: Population, env: VecEnv, genomes: FloatArray, seeds: Sequence[int]) -> FloatArray:
    """What genomes are paid in other episodes, (n, seeds); all play the same.

    Args:
        model: whose policies play.
        env: environments that are alike, with what the run pays.
        genomes: (n, D).
        seeds: of the episodes.
    """
    hidden, horizon = tuple(model.settings["hidden"]), model.settings["horizon"]
    paid = []
    for seed in seeds:
        evaluator = SteppedEvaluator(env, model.senses, hidden, horizon=horizon, seed=seed)
        outcome = evaluator(genomes, NOTHING, NOTHING, env.step)
        assert outcome is not None
        paid.append(outcome.rewards)
    return np.stack(paid, axis=1)


def is_certain(env: VecEnv) -> bool:
    """Is every episode of a genome the same, and is nothing else paid than the task?"""
    return compiled_world(env)[0] is not None


class Film:
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
