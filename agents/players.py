"""How a trained model plays: what it keeps between steps, and episodes played with it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from stable_baselines3.common.vec_env import VecEnv

BoolArray = npt.NDArray[np.bool_]
Masks = Callable[[], BoolArray]
"""() -> (n_envs, actions): which actions are valid now."""
MASKS = "action_masks"


class Player:
    """Acts in environments side by side; keeps recurrent states, and which episodes start.

    Args:
        model: whose `predict` decides.
        n_envs: environments.
        deterministic: take the likeliest action instead of sampling.
    """

    def __init__(self, model: Any, n_envs: int, *, deterministic: bool = False) -> None:
        self.model, self.deterministic = model, deterministic
        self._starts: BoolArray = np.ones(n_envs, np.bool_)
        self._state: Any = None

    def __call__(self, observations: Any) -> npt.NDArray[Any]:
        """Actions (n_envs, ...) for observations of all environments."""
        actions, self._state = self.predict(observations, self._state, self._starts)
        self._starts = np.zeros_like(self._starts)
        return actions

    def predict(self, observations: Any, state: Any, starts: BoolArray) -> tuple[npt.NDArray[Any], Any]:
        """Actions, and what to be given as `state` the next time."""
        actions, state = self.model.predict(
            observations, state=state, episode_start=starts, deterministic=self.deterministic
        )
        return actions, state

    def begin(self, starts: BoolArray) -> None:
        """Episodes start where `starts` (n_envs,) is true, with the next call's observations."""
        self._starts = self._starts | np.asarray(starts, np.bool_)


class MaskedPlayer(Player):
    """A player that is told the valid actions at every step.

    Args:
        masks: see `Masks`; None: all are valid.
    """

    def __init__(self, model: Any, n_envs: int, masks: Masks | None, *, deterministic: bool = False) -> None:
        super().__init__(model, n_envs, deterministic=deterministic)
        self._masks = masks

    def predict(self, observations: Any, state: Any, starts: BoolArray) -> tuple[npt.NDArray[Any], Any]:
        masks = None if self._masks is None else self._masks()
        actions, state = self.model.predict(
            observations, state=state, episode_start=starts, deterministic=self.deterministic, action_masks=masks
        )
        return actions, state


def has_action_masks(venv: VecEnv) -> bool:
    """Does every environment say which actions are valid?"""
    try:
        return bool(venv.has_attr(MASKS))
    except (AttributeError, NotImplementedError):
        return False


def action_masks(venv: VecEnv) -> Masks | None:
    """What tells the valid actions of a vector environment; None where nothing does."""
    return (lambda: np.stack(venv.env_method(MASKS))) if has_action_masks(venv) else None


@dataclass(frozen=True)
class EpisodeRecord:
    """What came of one episode.

    Attributes:
        task_return: the task's own, undiscounted.
        length: steps.
        success: None where the task knows no success.
        episode_seed: None where the environment does not tell.
        statistics: what the environment tells of its episodes, if anything.
    """

    task_return: float
    length: int
    success: bool | None = None
    episode_seed: int | None = None
    statistics: dict[str, float] | None = None

    @classmethod
    def of(cls, info: dict[str, Any]) -> EpisodeRecord:
        """From the info of an episode's last step.

        Raises KeyError where no Monitor wrote ``info["episode"]``.
        """
        episode = info["episode"]
        return cls(
            task_return=round(float(episode["r"]), 6),  # the Monitor sums in float32
            length=int(episode["l"]),
            success=bool(info["is_success"]) if "is_success" in info else None,
            episode_seed=int(info["episode_seed"]) if "episode_seed" in info else None,
            statistics=dict(info["stats"]) if "stats" in info else None,
        )


def play(player: Player, venv: VecEnv, episodes: int) -> list[EpisodeRecord]:
    """Play so many episodes, as evenly over the environments as they divide, in their order.

    How many each environment plays is fixed before the first step: whoever takes the first that
    finish takes the short ones.

    Args:
        player: of `venv.num_envs` environments.
        venv: with a Monitor in it, so that ``infos[i]["episode"]`` stands on an episode's last
            step.

    Raises:
        KeyError: an episode ended without a Monitor's record.
    """
    quota = [(episodes + index) // venv.num_envs for index in range(venv.num_envs)]
    records: list[list[EpisodeRecord]] = [[] for _ in quota]
    observations = venv.reset()
    while any(len(done) < wanted for done, wanted in zip(records, quota, strict=True)):
        observations, _, dones, infos = venv.step(player(observations))
        player.begin(dones)
        for index in np.flatnonzero(dones).tolist():
            if len(records[index]) < quota[index]:
                records[index].append(EpisodeRecord.of(infos[index]))
    return [record for of_env in records for record in of_env]
