"""PPO that also learns to predict the reward's kind and to represent the state."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any, ClassVar, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from gymnasium import spaces
from stable_baselines3 import PPO
from stable_baselines3.common.buffers import RolloutBuffer
from stable_baselines3.common.callbacks import BaseCallback, ConvertCallback
from stable_baselines3.common.policies import BasePolicy
from stable_baselines3.common.type_aliases import MaybeCallback
from stable_baselines3.common.utils import explained_variance
from stable_baselines3.common.vec_env import VecEnv
from torch import Tensor
from torch.nn.functional import mse_loss

from agents.lucy.auxiliary import RewardPrediction, ages, windows
from agents.lucy.policy import AuxiliaryPolicy


class AuxPPO(PPO):
    """PPO with Lucy-SKG's auxiliary losses: the same minibatches, one backward pass, one clip.

        loss = PPO's + reward_prediction · cross-entropy + state_representation · smooth L1

    Source: Moschopoulos et al. 2023, arXiv 2305.15801. Rewards are classified as the environment,
    with its terms, paid them: before values are added at truncations.

    Args:
        policy: "MlpPolicy", which is `AuxiliaryPolicy` here, or a class of that kind.
        env: whose observations are a matrix; see `PerceiverFeatures`.
        reward_prediction, state_representation: weights of the two losses; 0 leaves a task out.
        reward_threshold: rewards beyond ± this are positive and negative.
        sequence_length: observations that the reward is predicted from.
        relu_output: see `StateRepresentation`.
        keywords: of SB3's PPO.

    Raises:
        ValueError: impossible numbers.
    """

    policy_aliases: ClassVar[dict[str, type[BasePolicy]]] = {"MlpPolicy": AuxiliaryPolicy}
    policy: AuxiliaryPolicy

    def __init__(
        self,
        policy: str | type[AuxiliaryPolicy],
        env: VecEnv | str | None,
        *,
        reward_prediction: float = 1.0,
        state_representation: float = 1.0,
        reward_threshold: float = 0.009,
        sequence_length: int = 20,
        relu_output: bool = False,
        **keywords: Any,
    ) -> None:
        for name, number in (
            ("reward_prediction", reward_prediction),
            ("state_representation", state_representation),
            ("reward_threshold", reward_threshold),
        ):
            if not (np.isfinite(number) and number >= 0):
                raise ValueError(f"{name}={number}: expected a number of at least 0")
        if sequence_length < 1:
            raise ValueError(f"sequence_length={sequence_length}: expected at least 1")
        self.reward_prediction, self.state_representation = reward_prediction, state_representation
        self.reward_threshold, self.sequence_length = reward_threshold, sequence_length
        tasks = [name for name, on in (("reward", reward_prediction), ("state", state_representation)) if on]
        keywords["policy_kwargs"] = {
            **(keywords.get("policy_kwargs") or {}),
            "tasks": tasks,
            "relu_output": relu_output,
        }
        super().__init__(policy, env, rollout_buffer_class=IndexedRolloutBuffer, **keywords)  # type: ignore[arg-type]

    def _init_callback(self, callback: MaybeCallback, progress_bar: bool = False) -> BaseCallback:
        self._paid = _Paid()
        given = [] if callback is None else callback if isinstance(callback, list) else [callback]
        callbacks = [entry if isinstance(entry, BaseCallback) else ConvertCallback(entry) for entry in given]
        return super()._init_callback([*callbacks, self._paid], progress_bar)

    def train(self) -> None:
        """One update from the rollout buffer, in every detail as SB3's PPO."""
        self.policy.set_training_mode(True)
        self._update_learning_rate(self.policy.optimizer)
        progress = self._current_progress_remaining
        clip = self.clip_range(progress)  # type: ignore[operator]
        clip_vf = None if self.clip_range_vf is None else self.clip_range_vf(progress)  # type: ignore[operator]
        buffer = self.rollout_buffer
        self._ages = buffer.swap_and_flatten(ages(buffer.episode_starts))[:, 0]
        self._rewards = buffer.swap_and_flatten(np.stack(self._paid.rewards))[:, 0]
        losses: defaultdict[str, list[float]] = defaultdict(list)
        for _ in range(self.n_epochs):
            divergences: list[float] = []
            for batch in self._batches():
                evaluated = self._evaluate(batch, losses)
                advantages = batch.advantages
                if self.normalize_advantage and len(advantages) > 1:
                    advantages = (advantages - advantages.mean()) / (advantages.std() + 1e-8)
                log_ratio = evaluated.log_prob - batch.old_log_prob
                ratio = log_ratio.exp()
                policy_loss = -torch.min(advantages * ratio, advantages * ratio.clamp(1 - clip, 1 + clip)).mean()
                values = evaluated.values
                if clip_vf is not None:
                    values = batch.old_values + (values - batch.old_values).clamp(-clip_vf, clip_vf)
                value_loss, entropy_loss = mse_loss(batch.returns, values), -evaluated.entropy.mean()
                loss = policy_loss + self.ent_coef * entropy_loss + self.vf_coef * value_loss + evaluated.auxiliary
                with torch.no_grad():  # http://joschu.net/blog/kl-approx.html
                    divergences.append(((log_ratio.exp() - 1) - log_ratio).mean().item())
                    outside = ((ratio - 1).abs() > clip).float().mean().item()
                for name, value in (
                    ("policy_gradient_loss", policy_loss), ("value_loss", value_loss), ("entropy_loss", entropy_loss),
                ):  # fmt: skip
                    losses[name].append(value.item())
                losses["clip_fraction"].append(outside)
                losses["loss"] = [loss.item()]  # the last, as in SB3
                if self.target_kl is not None and divergences[-1] > 1.5 * self.target_kl:
                    break
                self.policy.optimizer.zero_grad()
                loss.backward()
                torch.nn.utils.clip_grad_norm_(self.policy.parameters(), self.max_grad_norm)
                self.policy.optimizer.step()
            losses["approx_kl"] = divergences
            self._n_updates += 1
            if self.target_kl is not None and divergences[-1] > 1.5 * self.target_kl:
                break
        self._paid.rewards.clear()
        for name, each in losses.items():
            self.logger.record(f"train/{name}", float(np.mean(each)))
        self.logger.record(
            "train/explained_variance", explained_variance(buffer.values.flatten(), buffer.returns.flatten())
        )
        self.logger.record("train/n_updates", self._n_updates, exclude="tensorboard")
        self.logger.record("train/clip_range", clip)

    def _batches(self) -> Iterator[IndexedSamples]:
        yield from self.rollout_buffer.get(self.batch_size)  # type: ignore[misc]

    def _evaluate(self, batch: IndexedSamples, losses: defaultdict[str, list[float]]) -> _Evaluated:
        """PPO's numbers and the auxiliary loss; the actor embeds every observation once."""
        policy, task = self.policy, self.policy.reward_prediction
        actor = policy.pi_features_extractor
        auxiliary = torch.zeros((), device=self.device)
        if task is None:
            embedded = actor.embed(batch.observations)
        else:
            rows, sequences = windows(batch.indices, self._ages, self.sequence_length)
            around = actor.embed(self.rollout_buffer.to_torch(self.rollout_buffer.observations[rows]))
            places = torch.as_tensor(sequences, device=self.device)
            embedded = around.rows(places[:, -1])
            classes = RewardPrediction.classes(
                self.rollout_buffer.to_torch(self._rewards[batch.indices]), self.reward_threshold
            )
            logits = task(around, places)
            loss = task.loss(logits, classes)
            auxiliary = auxiliary + self.reward_prediction * loss
            losses["reward_prediction_loss"].append(loss.item())
            losses["reward_prediction_accuracy"].append((logits.argmax(1) == classes).float().mean().item())
        if policy.state_representation is not None and len(batch.indices) > 1:  # batch normalisation needs two
            loss = policy.state_representation.loss(
                policy.state_representation(embedded), actor.keys(batch.observations)
            )
            auxiliary = auxiliary + self.state_representation * loss
            losses["state_representation_loss"].append(loss.item())
        actions = batch.actions.long().flatten() if isinstance(self.action_space, spaces.Discrete) else batch.actions
        values, log_prob, entropy = policy.evaluate_latents(
            actor.attend(embedded), policy.vf_features_extractor(batch.observations), actions
        )
        return _Evaluated(values.flatten(), log_prob, entropy, auxiliary)

    def _excluded_save_params(self) -> list[str]:
        return [*super()._excluded_save_params(), "_paid", "_ages", "_rewards"]


class _Evaluated(NamedTuple):
    values: Tensor
    log_prob: Tensor
    entropy: Tensor
    auxiliary: Tensor


class IndexedSamples(NamedTuple):
    """SB3's minibatch, and which rows of the rollout it is made of."""

    observations: Tensor
    actions: Tensor
    old_values: Tensor
    old_log_prob: Tensor
    advantages: Tensor
    returns: Tensor
    indices: npt.NDArray[np.int64]


class IndexedRolloutBuffer(RolloutBuffer):
    """SB3's buffer, whose minibatches say where they come from."""

    def _get_samples(self, batch_inds: np.ndarray[Any, Any], env: Any = None) -> IndexedSamples:  # type: ignore[override]
        return IndexedSamples(*super()._get_samples(batch_inds, env), batch_inds)


class _Paid(BaseCallback):
    """Remembers a rollout's rewards as they were paid: SB3 adds values to them at truncations."""

    def __init__(self) -> None:
        super().__init__()
        self.rewards: list[npt.NDArray[np.float32]] = []

    def _on_rollout_start(self) -> None:
        self.rewards.clear()

    def _on_step(self) -> bool:
        self.rewards.append(np.array(self.locals["rewards"], np.float32))
        return True
