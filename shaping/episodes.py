"""A finished episode's named signals to its rewards, and the callback that writes them where SB3 learns from."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm
from stable_baselines3.common.on_policy_algorithm import OnPolicyAlgorithm

from foundation.registry import Registry
from shaping.relabel import compute_returns
from shaping.terms import FloatArray, RewardTermError


class EpisodeTransform(ABC):
    """Decides an episode's rewards from its signals, with the whole episode in view."""

    name: str = ""
    registered_name: ClassVar[str] = ""

    @abstractmethod
    def __call__(
        self, signals: Mapping[str, FloatArray], *, paid: FloatArray, finished: bool, terminated: bool
    ) -> FloatArray | None:
        """The rewards (T,) that the episode's steps should have had, or None: leave them as they are.

        Args:
            signals: each part of the reward (T,), as ``infos[i]["reward_terms"]`` reported it, withheld ones included.
            paid: what the steps were paid when they were taken (T,).
            finished: False for an episode that the rollout's end cuts; most transforms then answer None. One that does
                not look ahead may answer for the steps so far.
            terminated: False if the episode is unfinished or ran out of time.
        """

    def state_dict(self) -> dict[str, Any]:
        """Everything a resume needs."""
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:  # noqa: B027 - optional
        """Take over what `state_dict` gave."""


registry: Registry[EpisodeTransform] = Registry("episode transform", "shaping")
"""Episode transforms by name."""


@registry.register("per_step")
class PerStep(EpisodeTransform):
    """Every step gets the weighted sum of its own signals: with weights 1, what a combiner that withholds nothing pays.

    It does not look ahead, so it answers for unfinished episodes too.
    """

    def __init__(self, weights: Mapping[str, float] | None = None) -> None:
        self.weights = dict(weights or {})
        for signal, weight in self.weights.items():
            if not math.isfinite(weight):
                raise ValueError(f"the weight of {signal!r} must be a finite number, not {weight}")

    def __call__(
        self, signals: Mapping[str, FloatArray], *, paid: FloatArray, finished: bool, terminated: bool
    ) -> FloatArray | None:
        for signal in self.weights:
            if signal not in signals:
                raise ValueError(
                    f"per_step has a weight for {signal!r}, which is no signal here; there are {list(signals)}"
                )
        total = np.zeros(len(paid))
        for name, values in signals.items():
            total += self.weights.get(name, 1.0) * values
        return total


@registry.register("terminal_release")
class TerminalRelease(EpisodeTransform):
    """What was withheld during an episode is paid on its last step.

    The undiscounted sum stays. With a discount below 1 an early reward is worth less than under `PerStep`, so shorter
    episodes gain.
    """

    def __call__(
        self, signals: Mapping[str, FloatArray], *, paid: FloatArray, finished: bool, terminated: bool
    ) -> FloatArray | None:
        if not finished:
            return None
        wanted = paid.copy()
        wanted[-1] += sum(float(values.sum()) for values in signals.values()) - float(paid.sum())
        return wanted


class EpisodeTransformCallback(BaseCallback):
    """Applies an `EpisodeTransform` to the stored rewards at the end of every rollout, before anything is learned.

    Works with PPO, A2C, MaskablePPO and RecurrentPPO (returns and advantages are computed again) and with DQN, QRDQN,
    SAC and TD3 (the replay buffer's rewards). Rewards change by the difference to what was paid, never to a new value:
    SB3 has by then added γV of the last observation where an episode ran out of time.

    An episode cut by the rollout's end is carried over. When it is over, the differences of steps that have left the
    buffer (learned from and gone) are added at its earliest step still there, so the sum over the episode is right.
    Off-policy algorithms learn from an unfinished episode's steps as they were paid until it is over.

    Raises:
        ValueError: when training starts, if the algorithm is none of these or its rewards are normalised outside of
            the shaping (VecNormalize), where a difference would have another scale.
    """

    model: OnPolicyAlgorithm | OffPolicyAlgorithm

    def __init__(self, transform: EpisodeTransform, verbose: int = 0) -> None:
        super().__init__(verbose)
        self.transform = transform
        self._episodes: list[_Episode] = []
        self._ended: list[tuple[int, _Episode]] = []
        self._added = 0  # rows added to the buffer; a row's number tells whether it is still there
        self._first_row = 0  # number of the oldest row of this rollout, for on-policy buffers
        self._newest_observations: Any = None
        self._returns: deque[float] = deque(maxlen=100)

    def episode_statistics(self) -> dict[str, float]:
        """The mean return after the transform over the last 100 episodes, "shaped_return"; empty before the first."""
        return {"shaped_return": float(np.mean(self._returns))} if self._returns else {}

    def state_dict(self) -> dict[str, Any]:
        """The transform's state. Episodes under way end with the process."""
        return {"transform": self.transform.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` gave."""
        self.transform.load_state_dict(state["transform"])

    def _on_training_start(self) -> None:
        if not isinstance(self.model, OnPolicyAlgorithm | OffPolicyAlgorithm):
            raise ValueError(
                f"an episode transform needs a rollout or replay buffer, which {type(self.model).__name__} lacks"
            )
        normalise = self.model.get_vec_normalize_env()
        if normalise is not None and normalise.norm_reward:
            raise ValueError(
                "rewards are normalised outside of the shaping, so an episode transform would add numbers of another "
                "scale; use VecNormalize(..., norm_reward=False) and the running_normalise transform of a term"
            )
        # Training that goes on keeps its last observations; a reset, or another process, has new ones and new episodes.
        if not self._episodes or self.model._last_obs is not self._newest_observations:
            self._episodes = [_Episode() for _ in range(self.training_env.num_envs)]
        self._ended = []

    def _on_rollout_start(self) -> None:
        self._first_row = self._added

    def _on_step(self) -> bool:
        infos, rewards, dones = self.locals["infos"], self.locals["rewards"], self.locals["dones"]
        # SB3 calls this before it adds the step, so `pos` is where the step goes
        position = self._buffer().pos
        for index, episode in enumerate(self._episodes):
            info = infos[index]
            try:
                episode.add(info["reward_terms"], float(rewards[index]), position, self._added)
            except KeyError:
                raise ValueError(
                    "infos have no 'reward_terms': an episode transform needs a ShapedVecEnv next to the algorithm"
                ) from None
            if dones[index]:
                episode.finished = True
                episode.terminated = not info.get("TimeLimit.truncated", False)
                self._ended.append((index, episode))
                self._episodes[index] = _Episode()
        self._added += 1
        self._newest_observations = self.locals["new_obs"]
        return True

    def _on_rollout_end(self) -> None:
        changed = False
        for index, episode in self._ended:
            changed |= self._apply(index, episode)
            self._returns.append(float(episode.paid().sum() + episode.applied().sum()))
        self._ended = []
        for index, episode in enumerate(self._episodes):
            if episode.length:
                changed |= self._apply(index, episode)
        if changed and isinstance(self.model, OnPolicyAlgorithm):
            compute_returns(self.model)

    def _apply(self, index: int, episode: _Episode) -> bool:
        paid = episode.paid()
        wanted = self.transform(episode.signals(), paid=paid, finished=episode.finished, terminated=episode.terminated)
        if wanted is None:
            return False
        wanted = np.asarray(wanted, dtype=np.float64)
        if wanted.shape != paid.shape or not np.isfinite(wanted).all():
            raise RewardTermError(
                f"episode transform {self.transform.name!r} must give {paid.shape} finite rewards for an episode of "
                f"{len(paid)} steps, not {wanted.shape}{'' if np.isfinite(wanted).all() else ' with NaN or infinity'}"
            )
        # Buffers hold float32. A difference that float32 cannot see in the reward is rounding, not a change.
        wanted32 = wanted.astype(np.float32).astype(np.float64)
        deltas = wanted32 - paid - episode.applied()
        if not deltas.any():
            return False
        buffer = self._buffer()
        oldest = self._first_row if isinstance(self.model, OnPolicyAlgorithm) else self._added - buffer.buffer_size
        rows, positions = episode.rows(), episode.positions()
        present = rows >= oldest
        episode.set_applied(wanted32 - paid)
        if not present.any():
            return False  # no step of it is left to learn from
        first = int(np.argmax(present))
        owed = float(deltas[:first].sum())
        deltas = deltas[first:].copy()
        deltas[0] += owed
        buffer.rewards[positions[first:], index] += deltas.astype(buffer.rewards.dtype)  # no position occurs twice
        return True

    def _buffer(self) -> Any:
        if isinstance(self.model, OnPolicyAlgorithm):
            return self.model.rollout_buffer
        return self.model.replay_buffer


class _Episode:
    """One environment's episode under way: signals, pay, and where in the buffer each step lies."""

    def __init__(self) -> None:
        self.length = 0
        self.finished = False
        self.terminated = False
        self._names: tuple[str, ...] = ()
        self._table = np.zeros((0, 0))  # one row a step: paid, applied, position, row number, signals...

    def add(self, parts: Mapping[str, float], paid: float, position: int, row: int) -> None:
        if self.length == 0:
            self._names = tuple(parts)
            self._table = np.zeros((64, 4 + len(parts)))
        elif self.length == len(self._table):
            self._table = np.concatenate([self._table, np.zeros_like(self._table)])
        self._table[self.length] = (paid, 0.0, position, row, *[parts[name] for name in self._names])
        self.length += 1

    def signals(self) -> dict[str, FloatArray]:
        return {name: self._table[: self.length, 4 + i].copy() for i, name in enumerate(self._names)}

    def paid(self) -> FloatArray:
        return self._table[: self.length, 0].copy()

    def applied(self) -> FloatArray:
        return self._table[: self.length, 1]

    def set_applied(self, deltas: FloatArray) -> None:
        self._table[: self.length, 1] = deltas

    def positions(self) -> np.ndarray[Any, np.dtype[np.int64]]:
        return self._table[: self.length, 2].astype(np.int64)

    def rows(self) -> np.ndarray[Any, np.dtype[np.int64]]:
        return self._table[: self.length, 3].astype(np.int64)
