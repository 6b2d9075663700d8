"""A population behind the face of an SB3 algorithm: it asks, plays an episode each, and tells."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.vec_env import VecEnv

from agents.algorithm import Algorithm
from agents.quality_diversity.descriptors import make_descriptor
from agents.quality_diversity.evaluations import Evaluations
from agents.quality_diversity.evaluators import (
    Evaluator,
    Outcome,
    SteppedEvaluator,
    make_evaluator,
    task_factor,
)
from agents.quality_diversity.history import History
from agents.quality_diversity.novelty import FloatArray, IntArray
from agents.quality_diversity.ray_evaluator import Plan, RayEvaluator
from agents.quality_diversity.searches import make_search
from agents.quality_diversity.senses import Senses
from foundation.genome_policy import GenomePolicy

Array = npt.NDArray[Any]
BEST = -1
"""In place of an elite's index."""
PAID_HERE = (
    "workers=ray plays whole episodes elsewhere, where only the task's own reward is known, and this run pays more: "
    "use workers=N, or shaping=none with a constant shaping.task_weight"
)


class Population(Algorithm):
    """Searches genomes of small policies; acts by the best of them, or by any elite.

    A round is what a search asks for at once, an episode each.

    Args:
        search: the name of the search.
        settings: every entry of the agent's configuration by name; `horizon` a number, `extent` of
            positions or None.
        threads: that play compiled worlds.
        tells: the infos have a "position".
    """

    search: str
    settings: dict[str, Any]
    threads: int
    tells: bool

    def setup(self) -> None:
        given = self.settings
        self.senses = Senses(
            self.observation_space,
            self.action_space,
            keys=tuple(given["keys"]),
            place=given["place"],
            picture=given["picture"],
            size=given["pixels"],
            tells=self.tells,
        )
        extent = self.senses.extent if given["extent"] is None else given["extent"]
        self.network = GenomePolicy(self.senses.width, self.senses.outputs, tuple(given["hidden"]))
        sizes = {"steps": given["horizon"], "genome": self.network.size, "pixels": given["pixels"]}
        self.descriptor = make_descriptor(given["descriptor"], **sizes)
        self.evolver = make_search(self.search, given, self.network.size, self.descriptor, extent, self.seed or 0)
        self.history = History(extent, given["bins"], downward=self.senses.downward)
        self._evaluator: Evaluator | None = None
        self.half_time = max(0, int(given["horizon"]) // 2 - 1)
        always = [self.half_time, given["horizon"] - 1]
        self.times: IntArray = np.union1d(self.descriptor.times, always).astype(np.int64)
        """When places are looked at: for the descriptor, at half time and at the end."""
        self.asked: FloatArray = np.zeros((0, self.network.size))
        self.outcome: Outcome | None = None
        self.elite = int(given["elite"])
        self._acting: FloatArray | None = None
        if self.num_timesteps and self._last_obs is None:
            self._last_obs = np.zeros(0)  # rounds reset the environments; SB3 would do so once more before the first

    @property
    def evaluator(self) -> Evaluator:
        """Who plays genomes; made when it is first asked for, as who only acts needs nobody.

        Raises:
            ValueError: behaviour is seen in images, and the environment has none.
        """
        if self._evaluator is None:
            assert self.env is not None
            self._evaluator = self._made_evaluator(self.env)
        return self._evaluator

    @evaluator.setter
    def evaluator(self, evaluator: Evaluator) -> None:
        self._evaluator = evaluator

    def _made_evaluator(self, env: VecEnv) -> Evaluator:
        given = self.settings
        evaluator = make_evaluator(
            env,
            self.senses,
            self.network,
            size=given["pixels"],
            horizon=given["horizon"],
            seed=self.seed or 0,
            threads=self.threads,
        )
        if isinstance(evaluator, SteppedEvaluator) and len(self.descriptor.frames) and not self.senses.draws:
            raise ValueError(
                f"agent.descriptor={given['descriptor']} looks at images, and there are none: they are drawn by small "
                "worlds that are paid the task alone (shaping=none) and keep their own time limit, or of an entry: "
                "give agent.picture=ENTRY"
            )
        return evaluator

    def play_elsewhere(self, actors: int | None) -> None:
        """Play whole episodes in the actors of a Ray cluster from now on.

        Args:
            actors: how many; None: one for each CPU of the cluster.

        Raises:
            ValueError: it cannot be; see `RayEvaluator`, and where more than the task is paid.
        """
        assert self.env is not None
        factor, recipe = task_factor(self.env), getattr(self.env, "recipe", None)
        if factor is None:
            raise ValueError(PAID_HERE)
        if recipe is None:
            raise ValueError("actors make the environment again, and this one does not say how: use envs.make_vec")
        plan = Plan(
            recipe,
            rows=self.env.num_envs,
            factor=factor,
            senses=self.senses,
            policy=self.network,
            size=self.settings["pixels"],
            horizon=self.settings["horizon"],
            seed=self.seed or 0,
        )
        self.evaluator = RayEvaluator(self.evaluator, plan, actors)

    def close(self) -> None:
        """End the actors that play elsewhere."""
        if isinstance(self._evaluator, RayEvaluator):
            self._evaluator.close()
            self._evaluator = None

    # A round --------------------------------------------------------------------------------------

    def collect(self, callback: BaseCallback) -> bool:
        if self.evolver.left <= 0:
            return False
        self.asked = np.asarray(self.evolver.ask(self.evolver.left), np.float64)
        frames = self.descriptor.frames
        outcome = self.evaluator(self.asked, self.times, frames, lambda actions: self.step(actions, callback))
        if outcome is None:
            return False
        self.outcome = outcome
        untold = self.evaluator.untold(outcome)
        if untold is not None:  # whole episodes at once
            self.num_timesteps += untold
            infos = [
                {"episode": {"r": task, "l": length, "t": 0.0}, "is_success": area >= 0}
                for task, length, area in zip(
                    outcome.tasks.tolist(), outcome.lengths.tolist(), outcome.areas.tolist(), strict=True
                )
                if length
            ]
            dones, paid = np.ones(len(infos), np.bool_), outcome.rewards[outcome.lengths > 0]
            callback.update_locals({"new_obs": None, "rewards": paid, "dones": dones, "infos": infos})
            if not callback.on_step():
                return False
            self._update_info_buffer(infos, dones)
        return True

    def train(self) -> None:
        outcome = self.outcome
        assert outcome is not None
        paths = outcome.paths[:, np.searchsorted(self.times, self.descriptor.times)]
        evaluations = Evaluations(
            rewards=outcome.rewards,
            descriptors=self.descriptor(paths, outcome.views, self.asked),
            truths=outcome.paths[:, -1],
            areas=outcome.areas,
            lengths=outcome.lengths,
            failed=~np.isfinite(outcome.rewards) | ~np.isfinite(outcome.paths).all(axis=(1, 2)),
            views=outcome.views,
        )
        purpose, parents = self.evolver.purpose, self.evolver.parents
        metrics = self.evolver.tell(evaluations)
        half = np.searchsorted(self.times, self.half_time)
        self.history.add(evaluations, outcome.paths[:, half], purpose, parents)
        self._acting, self.outcome = None, None
        for name, value in {**metrics, **self._covered()}.items():
            self.logger.record(f"train/{name}", value)

    def _covered(self) -> dict[str, float]:
        areas = self.evolver.areas
        found = {"max_area_reward": max(areas.values(), default=0.0), "areas": float(len(areas))}
        goals = self.settings["goals"]
        if goals:
            found["min_area_reward"] = min(areas.get(area, 0.0) for area in range(goals))
        if self.history.extent is not None:
            found |= {"coverage": self.history.coverage, "coverage_mid": self.history.coverage_at_half_time}
        return found

    # Playing --------------------------------------------------------------------------------------

    @property
    def acting(self) -> FloatArray:
        """The genome that acts, (D,).

        Raises:
            ValueError: there is no elite of that index.
        """
        if self._acting is None:
            if self.elite == BEST:
                self._acting = np.asarray(self.evolver.best(), np.float64)
            else:
                genomes = self.evolver.elites().genomes
                if self.elite >= len(genomes):
                    raise ValueError(
                        f"agent.elite={self.elite}: there are {len(genomes)}, counted from 0; -1 is the best"
                    )
                self._acting = np.asarray(genomes[self.elite], np.float64)
        acting: FloatArray = self._acting
        return acting

    def act_by(self, elite: int) -> None:
        """Act by the elite of this index from now on; −1: by the best."""
        self.elite, self._acting = elite, None

    def predict(
        self, observation: Any, state: Any = None, episode_start: Any = None, deterministic: bool = False
    ) -> tuple[Array, Any]:
        """SB3's `predict`; a small policy has nothing to draw."""
        alone = _is_one(observation, self.observation_space)
        rows = _batched(observation) if alone else observation
        seen = self.senses.vector(rows)
        actions = self.senses.actions(
            self.network.act(np.broadcast_to(self.acting, (len(seen), self.network.size)), seen)
        )
        return (actions[0] if alone else actions), state

    def _excluded_save_params(self) -> list[str]:
        built = ["senses", "network", "descriptor", "evolver", "history", "times", "half_time"]
        built += ["_evaluator", "asked", "outcome", "_acting"]
        return [*super()._excluded_save_params(), *built]


def _is_one(observation: Any, space: Any) -> bool:
    if isinstance(observation, Mapping):
        name, entry = next(iter(space.spaces.items()))
        return np.shape(observation[name]) == entry.shape
    return np.shape(observation) == space.shape


def _batched(observation: Any) -> Any:
    if isinstance(observation, Mapping):
        return {name: np.asarray(entry)[None] for name, entry in observation.items()}
    return np.asarray(observation)[None]
