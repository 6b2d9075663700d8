"""Rewards of a rollout that change at its end, before the agent learns from it."""

from __future__ import annotations

import torch
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.on_policy_algorithm import OnPolicyAlgorithm
from stable_baselines3.common.utils import obs_as_tensor

from shaping.vec_env import ShapedVecEnv


class RelabelCallback(BaseCallback):
    """Adds what terms score anew to the rewards in the rollout buffer, and has the returns computed again.

    It runs after the terms were updated. Differences are added because SB3 has by then put γV of the last observation
    into the rewards of truncated steps.

    Raises:
        ValueError: when training starts, for an algorithm without a rollout buffer.
    """

    model: OnPolicyAlgorithm

    def __init__(self, env: ShapedVecEnv) -> None:
        super().__init__()
        self._env = env

    def _on_training_start(self) -> None:
        if not isinstance(self.model, OnPolicyAlgorithm):
            raise ValueError(
                f"relabel=true scores whole rollouts again, and {type(self.model).__name__} keeps single steps for "
                "long; use ppo, a2c or recurrent_ppo, or relabel=false"
            )

    def _on_step(self) -> bool:
        return True

    def _on_rollout_end(self) -> None:
        deltas = self._env.relabel()
        if deltas is None or not deltas.any():
            return
        buffer = self.model.rollout_buffer
        if deltas.shape != buffer.rewards.shape:
            raise RuntimeError(f"a rollout of {buffer.rewards.shape} steps is to be changed by {deltas.shape}")
        buffer.rewards += deltas.astype(buffer.rewards.dtype)
        compute_returns(self.model)


def compute_returns(model: OnPolicyAlgorithm) -> None:
    """The rollout buffer's returns and advantages from its rewards as they are now."""
    observations = obs_as_tensor(model._last_obs, model.device)  # type: ignore[arg-type]
    dones = model._last_episode_starts
    assert dones is not None
    with torch.no_grad():
        recurrent = getattr(model, "_last_lstm_states", None)
        if recurrent is None:
            values = model.policy.predict_values(observations)
        else:
            # the callback's locals are stale for RecurrentPPO; the model's own states are not
            starts = torch.as_tensor(dones, dtype=torch.float32, device=model.device)
            values = model.policy.predict_values(observations, recurrent.vf, starts)  # type: ignore[call-arg]
    model.rollout_buffer.compute_returns_and_advantage(last_values=values, dones=dones)
