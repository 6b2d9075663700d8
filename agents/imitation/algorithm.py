"""TD3 and SAC that imitate: SB3's algorithms with a learned reward in their replay buffer."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from stable_baselines3 import SAC, TD3
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.type_aliases import MaybeCallback

from agents.imitation.diagnostics import diagnose
from agents.imitation.expert import Expert
from agents.imitation.learned_reward import LearnedReward
from agents.imitation.paper import PaperPolicy, paper_update
from agents.imitation.relabelled import RelabelledReplayBuffer
from agents.imitation.settings import Imitation
from foundation.demonstrations import Demonstrations


class AdversarialImitationMixin:
    """Before an off-policy algorithm of SB3: it learns from demonstrations, not the task's reward.

    After every update of actor and critics the discriminator learns on fresh minibatches, and every
    batch of the replay buffer is paid by what it is then. `learn`, `predict`, callbacks and logger
    are SB3's; its own `save` holds discriminator and optimiser too, its own `load` must be given
    `demonstrations`, `imitation` and `env` again.

    Args:
        args, kwargs: of the algorithm; `n_steps` are those of returns.
        demonstrations: of the expert; None: it can be loaded, and plays only.
        imitation: settings of the learned reward.

    Raises:
        ValueError: spaces, demonstrations or settings that do not fit; says what would.
    """

    learned_reward: LearnedReward

    def __init__(
        self,
        *args: Any,
        demonstrations: Demonstrations | None = None,
        imitation: Imitation | None = None,
        **kwargs: Any,
    ) -> None:
        self.demonstrations = demonstrations
        self.imitation = Imitation() if imitation is None else imitation
        super().__init__(*args, **kwargs)

    def _setup_model(self) -> None:
        model: Any = self
        settings, gamma, steps = self.imitation, model.gamma, model.n_steps
        refuse_spaces(model.observation_space, model.action_space)
        refuse_together(settings, gamma, steps)
        if model._vec_normalize_env is not None:
            raise ValueError(
                "the environment is normalised by VecNormalize, and demonstrations are not: leave it out; "
                "standardise=True gives the discriminator the demonstrations' own unit"
            )
        expert = None
        if self.demonstrations is not None:
            expert = Expert(self.demonstrations, model.observation_space, model.action_space, settings)
        model.replay_buffer_class = RelabelledReplayBuffer
        model.replay_buffer_kwargs = {
            "n_steps": steps, "gamma": gamma, "absorbing_rows": settings.absorbing == "paper"
        }  # fmt: skip
        model.n_steps = 1  # of SB3's own buffer, which warns where another stands in for it
        super()._setup_model()  # type: ignore[misc]
        model.n_steps = steps
        seed = int(np.random.default_rng().integers(2**31)) if model.seed is None else model.seed
        widths = model.observation_space.shape[0], model.action_space.shape[0]
        self.learned_reward = LearnedReward(settings, *widths, expert, seed=seed)
        model.replay_buffer.payer = self.learned_reward

    def _setup_learn(
        self,
        total_timesteps: int,
        callback: MaybeCallback = None,
        reset_num_timesteps: bool = True,
        *args: Any,
        **kwargs: Any,
    ) -> tuple[int, BaseCallback]:
        model: Any = self
        if reset_num_timesteps and model._last_obs is not None:
            model.replay_buffer.cut()
        setup: tuple[int, BaseCallback] = super()._setup_learn(  # type: ignore[misc]
            total_timesteps, callback, reset_num_timesteps, *args, **kwargs
        )
        return setup

    def train(self, gradient_steps: int, batch_size: int = 64) -> None:
        """So many times: an update of the algorithm, then what the reward has to learn."""
        model: Any = self
        model.replay_buffer.payer = self.learned_reward  # it may be another, unpickled by SB3's own load
        every = self.imitation.diagnose_every
        for _ in range(gradient_steps):
            self.update_policy(batch_size)
            metrics = self.learned_reward.learn(model.replay_buffer)
            if every and model._n_updates % every == 0:
                metrics |= self._diagnosed()
            for name, value in metrics.items():
                model.logger.record_mean(f"train/{name}", value)

    def update_policy(self, batch_size: int) -> None:
        """One update of actor and critics."""
        super().train(1, batch_size)  # type: ignore[misc]

    def deterministic(self, observations: torch.Tensor) -> torch.Tensor:
        """(n, width) -> actions (n, size) in [−1, 1], without noise."""
        actions: torch.Tensor = self.actor(observations)  # type: ignore[attr-defined]
        return actions

    def _diagnosed(self) -> dict[str, float]:
        model: Any = self
        model.policy.set_training_mode(False)
        seed = [model.seed or 0, model._n_updates]
        return diagnose(
            self.learned_reward,
            model.replay_buffer,
            self.deterministic,
            model.critic.q1_forward,
            gamma=model.gamma,
            seed=seed,
        )

    def _excluded_save_params(self) -> list[str]:
        own = ["learned_reward", "demonstrations", "imitation", "replay_buffer_kwargs"]
        return [*super()._excluded_save_params(), *own]  # type: ignore[misc]

    def _get_torch_save_params(self) -> tuple[list[str], list[str]]:
        networks, tensors = super()._get_torch_save_params()  # type: ignore[misc]
        return [*networks, "learned_reward"], tensors


class GailTD3(AdversarialImitationMixin, TD3):
    """TD3 that imitates (Blondé, Strasser and Kalousis 2020; Kostrikov et al. 2019).

    Args:
        args, kwargs: see `AdversarialImitationMixin` and SB3's `TD3`.
        paper_mode: the paper's networks, target and loss in place of SB3's.
    """

    def __init__(self, *args: Any, paper_mode: bool = False, **kwargs: Any) -> None:
        self.paper_mode = paper_mode
        super().__init__(*args, **kwargs)

    def _setup_model(self) -> None:
        if self.paper_mode:
            self.policy_class = PaperPolicy
        super()._setup_model()

    def update_policy(self, batch_size: int) -> None:
        if not self.paper_mode:
            super().update_policy(batch_size)
            return
        for name, value in paper_update(self, batch_size).items():
            self.logger.record(f"train/{name}", value)
        self.logger.record("train/n_updates", self._n_updates, exclude="tensorboard")


class GailSAC(AdversarialImitationMixin, SAC):
    """SAC that imitates: the same learned reward under soft actor-critic."""

    def deterministic(self, observations: torch.Tensor) -> torch.Tensor:
        return self.actor(observations, deterministic=True)


def refuse_spaces(observations: spaces.Space[Any], actions: spaces.Space[Any]) -> None:
    """Raises ValueError where a step is no pair of vectors."""
    instead = "shaping=gail with agent=ppo imitates there."
    if not isinstance(observations, spaces.Box) or len(observations.shape) != 1:
        raise ValueError(
            f"off-policy imitation judges observations that are one vector (Box of one axis), and these are "
            f"{observations}; {instead}"
        )
    if not isinstance(actions, spaces.Box) or len(actions.shape) != 1:
        raise ValueError(
            f"off-policy imitation is for continuous actions that are one vector (Box of one axis), and these are "
            f"{actions}; {instead}"
        )


def refuse_together(settings: Imitation, gamma: float, n_steps: int) -> None:
    """Raises ValueError where settings of the reward and of the learner exclude each other."""
    if settings.absorbing == "dac" and gamma >= 1.0:
        raise ValueError(
            f"agent.absorbing=dac pays an absorbing state for ever, r/(1 − γ), and agent.gamma={gamma:g} has no end of "
            "it: use a discount below 1, or agent.absorbing=none"
        )
    if settings.reward == "sqil" and n_steps > 1:
        raise ValueError(
            f"agent.reward=sqil has single steps of the expert's in its batches: use agent.n_steps=1, not {n_steps}"
        )
