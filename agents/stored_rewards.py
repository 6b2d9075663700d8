"""Where pay can still change: SB3's rollout and replay buffers behind one interface."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from stable_baselines3.common.buffers import DictReplayBuffer, ReplayBuffer
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm
from stable_baselines3.common.on_policy_algorithm import OnPolicyAlgorithm
from stable_baselines3.common.type_aliases import DictReplayBufferSamples, ReplayBufferSamples
from stable_baselines3.common.utils import obs_as_tensor

from shaping.terms import FloatArray, Transitions

IntArray = npt.NDArray[np.int64]


class StoredRewards(ABC):
    """The rewards of past vector steps, counted by age: 1 is the step taken last.

    Rewards change by differences, never to a new value: SB3 has by then added γV of the last
    observation where an episode ran out of time.
    """

    @property
    @abstractmethod
    def rewards(self) -> npt.NDArray[np.float32]:
        """(rows, n_envs), in place."""

    @abstractmethod
    def rows(self, ages: IntArray) -> IntArray:
        """The rows of steps of these ages; -1 for those that have left."""

    def settle(self) -> None:  # noqa: B027 - optional
        """After the last change: compute again what hangs on the rewards."""

    def add(self, env: int, age: int, deltas: FloatArray) -> None:
        """Pay steps of one environment so much more: the first of this age, each the next younger.

        What steps that have left are owed is paid on the earliest step that is still there, so that
        the sum over an episode is right; if none is, nobody can be paid.
        """
        rows = self.rows(age - np.arange(len(deltas)))
        there = np.flatnonzero(rows >= 0)
        if not len(there):
            return
        first = int(there[0])
        present = deltas[first:].copy()
        present[0] += deltas[:first].sum()
        self.rewards[rows[first:], env] += present.astype(self.rewards.dtype)  # no row occurs twice


class RolloutRewards(StoredRewards):
    """The rollout buffer of PPO and its kin, and of A2C, between a rollout's end and its update."""

    def __init__(self, model: OnPolicyAlgorithm) -> None:
        self._model = model

    @property
    def rewards(self) -> npt.NDArray[np.float32]:
        rewards: npt.NDArray[np.float32] = self._model.rollout_buffer.rewards
        return rewards

    def rows(self, ages: IntArray) -> IntArray:
        return np.maximum(self._model.rollout_buffer.pos - ages, -1)

    def settle(self) -> None:
        """Returns and advantages from the rewards as they are now."""
        model = self._model
        observations = obs_as_tensor(model._last_obs, model.device)  # type: ignore[arg-type]
        dones = model._last_episode_starts
        assert dones is not None
        with torch.no_grad():
            recurrent = getattr(model, "_last_lstm_states", None)
            if recurrent is None:
                values = model.policy.predict_values(observations)
            else:
                # a callback's locals are stale for RecurrentPPO; the model's own states are not
                starts = torch.as_tensor(dones, dtype=torch.float32, device=model.device)
                values = model.policy.predict_values(observations, recurrent.vf, starts)  # type: ignore[call-arg]
        model.rollout_buffer.compute_returns_and_advantage(last_values=values, dones=dones)


class ReplayRewards(StoredRewards):
    """The replay buffer of DQN, QRDQN, SAC or TD3."""

    def __init__(self, model: OffPolicyAlgorithm) -> None:
        self._model = model

    @property
    def rewards(self) -> npt.NDArray[np.float32]:
        assert self._model.replay_buffer is not None
        return self._model.replay_buffer.rewards

    def rows(self, ages: IntArray) -> IntArray:
        buffer = self._model.replay_buffer
        assert buffer is not None
        kept = buffer.buffer_size if buffer.full else buffer.pos
        return np.where(ages <= kept, (buffer.pos - ages) % buffer.buffer_size, -1)


def stored_rewards(model: Any) -> StoredRewards | None:
    """The rewards in an SB3 algorithm's buffer; None for an algorithm without one."""
    if isinstance(model, OnPolicyAlgorithm):
        return RolloutRewards(model)
    if isinstance(model, OffPolicyAlgorithm):
        return ReplayRewards(model)
    return None


class Rescored:
    """Mixin of a replay buffer: terms that can be asked again are asked at every sample.

    Their reward is a function of the transition alone. What they paid when the step was taken is
    left out of the stored reward. `rescoring` is set by whoever makes or loads the model; without
    it the stored rewards are all there is.
    """

    rescoring: Rescoring | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "rescoring"}

    def add(self, obs: Any, next_obs: Any, action: Any, reward: Any, done: Any, infos: list[dict[str, Any]]) -> None:
        if self.rescoring is not None:
            paid = [sum(info["reward_terms"][name] for name in self.rescoring.names) for info in infos]
            reward = np.asarray(reward) - np.asarray(paid, np.float64)
        super().add(obs, next_obs, action, reward, done, infos)  # type: ignore[misc]

    def _get_samples(self, batch_inds: Any, env: Any = None) -> Any:
        samples = super()._get_samples(batch_inds, env)  # type: ignore[misc]
        if self.rescoring is None:
            return samples
        rewards = torch.as_tensor(self.rescoring(samples), dtype=samples.rewards.dtype, device=samples.rewards.device)
        return samples._replace(rewards=samples.rewards + rewards[:, None])


class RescoredReplayBuffer(Rescored, ReplayBuffer):
    """SB3's replay buffer, rescored."""


class RescoredDictReplayBuffer(Rescored, DictReplayBuffer):
    """SB3's replay buffer of dict observations, rescored."""


class Rescoring:
    """Asks terms for the rewards of sampled transitions.

    Args:
        names: of the signals that are asked again, as they stand in ``infos[i]["reward_terms"]``.
        rescore: a batch of transitions -> their weighted rewards (n,) as of now.
        actions: stored actions (n, size) -> actions as the environment was given them.
    """

    def __init__(
        self,
        names: tuple[str, ...],
        rescore: Callable[[Transitions], FloatArray],
        actions: Callable[[npt.NDArray[Any]], npt.NDArray[Any]],
    ) -> None:
        self.names, self._rescore, self._actions = names, rescore, actions

    def __call__(self, samples: ReplayBufferSamples | DictReplayBufferSamples) -> FloatArray:
        """(n,), for SB3's samples, whose `dones` are terminations alone."""
        n = len(samples.rewards)
        terminated = samples.dones.cpu().numpy().reshape(n) > 0
        return self._rescore(
            Transitions(
                observations=_arrays(samples.observations),
                actions=self._actions(samples.actions.cpu().numpy()),
                rewards=np.zeros(n),
                next_observations=_arrays(samples.next_observations),
                terminated=terminated,
                truncated=np.zeros(n, np.bool_),
                infos=(),
            )
        )


def _arrays(observations: Any) -> Any:
    if isinstance(observations, dict):
        return {key: tensor.cpu().numpy() for key, tensor in observations.items()}
    return observations.cpu().numpy()
