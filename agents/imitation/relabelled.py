"""A replay buffer whose rewards are computed when it is sampled, whatever was stored."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch
from stable_baselines3.common.buffers import ReplayBuffer
from stable_baselines3.common.type_aliases import ReplayBufferSamples

Array = npt.NDArray[Any]


class Payer(Protocol):
    """Who says what steps are worth, as of now."""

    def pay(self, observations: Array, actions: Array, next_observations: Array, absorbing: Array) -> Array:
        """Rewards (m,) of steps: rows (m, ...), actions in [−1, 1], `absorbing` (m,) of bool."""

    def beyond(self, gamma: float) -> float:
        """What comes after a termination, discounted to the first step after it."""

    def mix(self, samples: ReplayBufferSamples) -> ReplayBufferSamples:
        """A batch with steps of somebody else's in it; or as it is."""


class RelabelledReplayBuffer(ReplayBuffer):
    """SB3's replay buffer with rewards of a `Payer` and returns over several steps.

        R = Σ_{k<m} γ^k r_k + γ^m · [terminated] · beyond,   discount γ^m, and s' the m-th successor

    m is `n_steps`, or less where the episode, or what is stored of it, ends before. Where it
    terminated nothing is bootstrapped; where time ran out, or no more is stored, everything is. The
    released code of Blondé et al. bootstraps past a termination on a window's last step; this does
    not. With one step the batch is that of the plain buffer but for its rewards.

    Args:
        n_steps: of a return.
        gamma: of the learner.
        absorbing_rows: as the paper's code: after a termination its step is stored once more, is
            judged as the absorbing pair, and is over too. For one environment.

    Attributes:
        payer: set by whoever makes the model; it is not pickled with the buffer.
        absorbing: (rows, n_envs) which rows are such.
    """

    payer: Payer | None = None

    def __init__(
        self, *args: Any, n_steps: int = 1, gamma: float = 0.99, absorbing_rows: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.n_steps, self.gamma, self.absorbing_rows = n_steps, gamma, absorbing_rows
        if absorbing_rows and self.n_envs != 1:
            raise ValueError(
                f"agent.absorbing=paper stores a row of its own after a termination, which {self.n_envs} environments "
                "side by side have no place for: use n_envs=1, or agent.absorbing=dac"
            )
        self.absorbing = np.zeros((self.buffer_size, self.n_envs), np.bool_)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "payer"}

    def add(self, obs: Any, next_obs: Any, action: Any, reward: Any, done: Any, infos: list[dict[str, Any]]) -> None:
        self.absorbing[self.pos] = False
        super().add(obs, next_obs, action, reward, done, infos)
        newest = (self.pos - 1) % self.buffer_size
        if self.absorbing_rows and self.dones[newest, 0] > self.timeouts[newest, 0]:
            self.absorbing[self.pos] = True
            super().add(obs, next_obs, action, reward, done, infos)

    def cut(self) -> None:
        """The environments are about to be reset: no window goes on from the newest steps."""
        if self.filled():
            newest = (self.pos - 1) % self.buffer_size
            unfinished = self.dones[newest] == 0
            self.dones[newest, unfinished] = self.timeouts[newest, unfinished] = 1.0

    def filled(self) -> int:
        """Rows."""
        return self.buffer_size if self.full else self.pos

    def terminations(self) -> int:
        """How many of the steps stored terminated an episode."""
        rows = self.filled()
        ended = self.dones[:rows] > self.timeouts[:rows]
        return int(np.count_nonzero(ended & ~self.absorbing[:rows]))

    def steps(self, rows: Array, envs: Array) -> tuple[Array, Array, Array, Array]:
        """What a `Payer` is asked of these steps."""
        return (
            self.observations[rows, envs],
            self.actions[rows, envs],
            self.next_observations[rows, envs],
            self.absorbing[rows, envs],
        )

    def sample(self, batch_size: int, env: Any = None) -> ReplayBufferSamples:
        assert self.payer is not None, "who pays must be set before the buffer is sampled"
        return self.payer.mix(super().sample(batch_size, env=env))

    def _get_samples(self, batch_inds: Any, env: Any = None) -> ReplayBufferSamples:
        assert self.payer is not None, "who pays must be set before the buffer is sampled"
        envs = np.random.randint(0, high=self.n_envs, size=(len(batch_inds),))  # noqa: NPY002 - as SB3 draws
        observations, actions, successors, absorbing = self.steps(batch_inds, envs)
        if self.n_steps == 1:
            returns = self.payer.pay(observations, actions, successors, absorbing)
            last, discounts = batch_inds, np.full(len(envs), self.gamma)
        else:
            returns, last, discounts = self._returns(batch_inds, envs)
            successors = self.next_observations[last, envs]
        terminated = self.dones[last, envs] * (1 - self.timeouts[last, envs])
        if terminated.any():
            returns = returns + discounts * terminated * self.payer.beyond(self.gamma)
        batch = ReplayBufferSamples(
            observations=self._tensor(self._normalize_obs(observations, env)),
            actions=self._tensor(actions),
            next_observations=self._tensor(self._normalize_obs(successors, env)),
            dones=self._tensor(terminated.reshape(-1, 1)),
            rewards=self._tensor(returns.astype(np.float32).reshape(-1, 1)),
        )
        if self.n_steps == 1:
            return batch
        return batch._replace(discounts=self._tensor(discounts.astype(np.float32).reshape(-1, 1)))

    def _tensor(self, array: Any) -> torch.Tensor:
        """Of an array that nobody else has: it was drawn from the buffer's by rows."""
        return torch.from_numpy(array).to(self.device)

    def _returns(self, starts: Array, envs: Array) -> tuple[Array, Array, Array]:
        """Of windows: discounted pay, the row of the last step, and what is discounted after it."""
        assert self.payer is not None
        rows = (starts[:, None] + np.arange(self.n_steps)) % self.buffer_size
        columns = np.broadcast_to(envs[:, None], rows.shape)
        over = (self.dones[rows, columns] > 0) | (rows == (self.pos - 1) % self.buffer_size)
        counted = np.cumsum(over, axis=1) - over == 0
        lengths = counted.sum(axis=1)
        pay = np.zeros(rows.shape)
        pay[counted] = self.payer.pay(*self.steps(rows[counted], columns[counted]))
        last = rows[np.arange(len(rows)), lengths - 1]
        return pay @ self.gamma ** np.arange(self.n_steps), last, self.gamma**lengths
