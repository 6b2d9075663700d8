"""A population behind the face of an SB3 algorithm: asks, plays an episode each, tells."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from stable_baselines3.common.callbacks import BaseCallback

from agents.algorithm import Algorithm
from agents.quality_diversity.coverage import occupied
from agents.quality_diversity.descriptors import Descriptor, make_descriptor
from agents.quality_diversity.evaluations import Evaluations
from agents.quality_diversity.evaluators import CompiledEvaluator, Evaluator, Outcome, SteppedEvaluator
from agents.quality_diversity.evolver import Evolver
from agents.quality_diversity.searches import make_search
from agents.quality_diversity.senses import Senses
from foundation.genome_policy import GenomePolicy
from shaping import ShapedVecEnv

Array = npt.NDArray[Any]
FloatArray = npt.NDArray[np.float64]
BEST = -1
"""In place of an elite's index."""


class Population(Algorithm):
    """Searches genomes of small policies; `predict` acts by the best of them, or by any elite.

    A round is what a search asks for at once, an episode each. Source: see the search.

    Args:
        search: the name of the search.
        settings: every entry of the agent's configuration by name.
        horizon: steps of the longest episode.
        budget: evaluations in all.
        threads: that play compiled worlds.
        tells: the infos have a "position".
    """

    search: str
    settings: dict[str, Any]
    horizon: int
    budget: int
    threads: int
    tells: bool

    def setup(self) -> None:
        given = self.settings
        self.elite = BEST
        """Which of `elites` acts: an index, or −1 for the best."""
        self.senses = Senses(
            self.observation_space,
            self.action_space,
            keys=tuple(given["keys"]),
            place=given["place"],
            picture=given["picture"],
            size=given["picture_size"],
            tells=self.tells,
        )
        self.policy = GenomePolicy(self.senses.width, self.senses.outputs, tuple(given["hidden"]))
        self.descriptor: Descriptor = make_descriptor(given["descriptor"], horizon=self.horizon, size=self.policy.size)
        self.evolver: Evolver = make_search(self.search, self.policy.size, self.budget, self.descriptor, given, self.seed)
        self.evaluator: Evaluator | None = None if self.env is None else self._evaluator()
        self.asked: FloatArray = np.zeros((0, self.policy.size))
        self.told: Evaluations | None = None
        self.history = History(given["bins"])

    def _evaluator(self) -> Evaluator:
        assert self.env is not None
        world, factor = compiled_world(self.env)
        hidden = tuple(self.settings["hidden"])
        if world is not None:
            return CompiledEvaluator(
                world, hidden, size=self.settings["picture_size"], factor=factor, threads=self.threads
            )
        return SteppedEvaluator(self.env, self.senses, hidden, horizon=self.horizon, seed=self.seed or 0)
