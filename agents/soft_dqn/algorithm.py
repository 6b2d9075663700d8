"""DQN whose values count entropy (Haarnoja et al. 2017, arXiv 1702.08165), for discrete actions."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from stable_baselines3 import DQN
from torch import Tensor
from torch.nn.functional import smooth_l1_loss

from agents.learners import GreedyLearner


class SoftDQN(DQN):
    """SB3's DQN for Σ γ^t (r + α H(π(·|s))): the backup and the policy are soft.

    A state is worth α log Σ_a exp(Q(s, a)/α) (equation 3 there), and actions are drawn from
    exp(Q(s, a)/α), normalised (equation 4). As α goes to 0 both are DQN's.

    Args:
        alpha: the temperature α, in units of reward: what one nat of entropy is worth.
        args, kwargs: DQN's.
    """

    def __init__(self, *args: Any, alpha: float = 0.1, **kwargs: Any) -> None:
        self.alpha = alpha
        super().__init__(*args, **kwargs)

    def soft_values(self, q_values: Tensor) -> Tensor:
        """(n, 1) of (n, actions)."""
        return self.alpha * torch.logsumexp(q_values / self.alpha, dim=1, keepdim=True)

    def train(self, gradient_steps: int, batch_size: int = 100) -> None:
        """So many steps of Adam on Huber's loss of the soft Bellman error."""
        self.policy.set_training_mode(True)
        self._update_learning_rate(self.policy.optimizer)
        losses, entropies = [], []
        for _ in range(gradient_steps):
            batch = self.replay_buffer.sample(batch_size, env=self._vec_normalize_env)  # type: ignore[union-attr]
            with torch.no_grad():
                after = self.soft_values(self.q_net_target(batch.next_observations))
                discounts = self.gamma if batch.discounts is None else batch.discounts
                targets = batch.rewards + (1 - batch.dones) * discounts * after
            q_values = self.q_net(batch.observations)
            loss = smooth_l1_loss(q_values.gather(1, batch.actions.long()), targets)
            self.policy.optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(self.policy.parameters(), self.max_grad_norm)
            self.policy.optimizer.step()
            losses.append(loss.item())
            entropies.append(torch.distributions.Categorical(logits=q_values.detach() / self.alpha).entropy().mean())
        self._n_updates += gradient_steps
        self.logger.record("train/n_updates", self._n_updates, exclude="tensorboard")
        self.logger.record("train/loss", np.mean(losses))
        self.logger.record("train/entropy", float(torch.stack(entropies).mean()))

    def predict(
        self, observation: Any, state: Any = None, episode_start: Any = None, deterministic: bool = False
    ) -> tuple[np.ndarray[Any, Any], Any]:
        """The best action; or, where not `deterministic`, drawn from the policy.

        While it explores any action has its share, for each row by itself (`exploration_rate`).
        """
        if deterministic:
            return super().predict(observation, state, episode_start, deterministic=True)
        self.policy.set_training_mode(False)
        tensors, side_by_side = self.policy.obs_to_tensor(observation)
        with torch.no_grad():
            drawn = torch.multinomial(self.acts(tensors), 1).squeeze(1).cpu().numpy()
        return (drawn if side_by_side else drawn[0]), state

    def acts(self, observations: Any) -> Tensor:
        """π(a|s) as it is drawn from, exploration included: (n, actions)."""
        softly = torch.softmax(self.q_net(observations).double() / self.alpha, dim=1)
        return (1.0 - self.exploration_rate) * softly + self.exploration_rate / softly.shape[1]


class SoftLearner(GreedyLearner):
    """What parts of the reward are shown of it."""

    def _acts(self, observations: Any, masks: Any) -> Tensor:
        acts: Tensor = self._model.acts(observations)
        return acts
