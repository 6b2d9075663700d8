"""Where a run's agent plays and tells: one row of its environment, and what is kept of the play."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from agents import ActionProbabilities, action_masks
from foundation.demonstrations import Demonstrations, Header
from scripts.demonstrations.playing import stacked
from scripts.results.clips import Picture
from scripts.running.run_directory import Run

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]


class View(NamedTuple):
    """What a player goes by: the same for whoever sees the same."""

    probabilities: FloatArray
    mask: BoolArray | None


class Step(NamedTuple):
    """One step of the first row."""

    seen: Any  # as the model sees it, one observation
    mask: BoolArray | None
    action: int
    reward: float  # of the task
    after: Any
    terminated: bool
    truncated: bool


@dataclass
class Play:
    """Whole episodes, in their order."""

    episodes: list[list[Step]] = field(default_factory=list)
    frames: list[list[Picture]] = field(default_factory=list)

    @property
    def steps(self) -> list[Step]:
        """Of all episodes."""
        return [step for episode in self.episodes for step in episode]

    @property
    def starts(self) -> npt.NDArray[np.int64]:
        """The row of each episode's first step."""
        return np.cumsum([0, *(len(episode) for episode in self.episodes[:-1])], dtype=np.int64)

    @property
    def returns(self) -> list[float]:
        """Of the task, an episode each."""
        return [sum(step.reward for step in episode) for episode in self.episodes]

    def demonstrations(self, header: Header) -> Demonstrations:
        """The steps as a file holds them."""
        steps = self.steps
        return Demonstrations.from_steps(
            header,
            observations=stacked([step.seen for step in steps]),
            actions=np.array([step.action for step in steps], np.int64),
            rewards=np.array([step.reward for step in steps]),
            next_observations=stacked([step.after for step in steps]),
            terminated=np.array([step.terminated for step in steps]),
            truncated=np.array([step.truncated for step in steps]),
            episode_starts=self.starts,
        )


class Stage:
    """A run's environment on evaluation's seeds; rows beside the first play as they learned to.

    Args:
        run: whose agent plays.
        model: of it.
        probabilities: of the first row's actions.
        seed: of the episodes.
        pictures: can be kept.
    """

    def __init__(self, run: Run, model: Any, probabilities: ActionProbabilities, seed: int, pictures: bool) -> None:
        self.venv = run.venv(1, seed, "rgb_array" if pictures else None)
        self.probabilities = probabilities
        self._pictures = pictures
        masks = action_masks(self.venv)
        self._masks = masks if probabilities.masked else None
        self._others = None
        if self.venv.num_envs > 1:
            self._others = run.agent.player(model, self.venv.num_envs, deterministic=False, masks=masks)
        self._seen: Any = self.venv.reset()

    def begin(self) -> None:
        """The next episode begins; the environment has begun it."""
        self.probabilities.begin()
        self.steps: list[Step] = []
        self.frames: list[Picture] = []

    def view(self) -> View:
        """What the policy plays now."""
        mask = None if self._masks is None else np.asarray(self._masks()[0], np.bool_)
        return View(self.probabilities(_first(self._seen), mask), mask)

    def step(self, view: View, action: int, shown: bool = False) -> bool:
        """Play; whether the episode is over. `shown`: keep a picture of before."""
        if shown and self._pictures:
            self.frames.append(np.array(self.venv.render(), np.uint8))
        actions = np.array([action]) if self._others is None else np.array(self._others(self._seen))
        actions[0] = action
        before = _row(self._seen)
        self._seen, paid, dones, infos = self.venv.step(actions)
        if self._others is not None:
            self._others.begin(dones)
        over, info = bool(dones[0]), infos[0]
        late = over and bool(info.get("TimeLimit.truncated", False))
        after = info["terminal_observation"] if over else _row(self._seen)
        reward = float(info.get("reward_terms", {}).get("task", paid[0]))
        self.steps.append(Step(before, view.mask, action, reward, after, over and not late, late))
        return over

    def close(self) -> None:
        """The environment's end."""
        self.venv.close()


def at(observations: Any, step: int) -> Any:
    """One of many, with its axis in front: (1, ...)."""
    if isinstance(observations, dict):
        return {key: array[step : step + 1] for key, array in observations.items()}
    return observations[step : step + 1]


def _first(observations: Any) -> Any:
    return at(observations, 0)


def _row(observations: Any) -> Any:
    if isinstance(observations, dict):
        return {key: np.array(array[0]) for key, array in observations.items()}
    return np.array(observations[0])
