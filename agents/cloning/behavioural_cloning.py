"""BehaviouralCloning: supervised learning of a policy from an expert's steps."""

from __future__ import annotations

from collections import defaultdict
from copy import deepcopy
from typing import Any, ClassVar

import numpy as np
import torch
from gymnasium import spaces
from stable_baselines3.common.on_policy_algorithm import OnPolicyAlgorithm
from stable_baselines3.common.policies import (
    ActorCriticCnnPolicy,
    ActorCriticPolicy,
    BasePolicy,
    MultiInputActorCriticPolicy,
)
from torch import Tensor

from agents.features.distinct import weights_change
from foundation.demonstrations import Demonstrations, IntArray

_AT_ONCE = 1024
"""Held-out steps that are judged at a time."""


class BehaviouralCloning(OnPolicyAlgorithm):
    """Makes the actions of demonstrations likely: any policy of SB3's actor-critics.

        loss = −mean log π(a|s) − ent_coef · mean entropy

    Source: Pomerleau 1991, "Efficient training of artificial neural networks for autonomous
    navigation". It learns from the demonstrations alone. What it plays in between, a rollout of
    `n_steps` before every `updates` gradient steps, says how it does and is learned from by nobody;
    rewards are never read.

    Episodes that are held out are never learned from. With `patience`, learning ends once so many
    rounds in a row made their likelihood no better, and the best weights come back.

    Args:
        policy, env: as SB3 has them.
        learning_rate: of Adam.
        demonstrations: to learn from; None: to play only.
        n_steps: environment steps of every row between the updates.
        updates: gradient steps of a round.
        batch_size: demonstrated steps of each, drawn without repeats in an epoch.
        ent_coef: weight of the entropy.
        max_grad_norm: longer gradients are shortened.
        held_out: share of the episodes that is held out, rounded down.
        patience: rounds; 0: it never stops.
        gamma: the discount, which nothing here reads but reward terms.
        keywords: of SB3's `OnPolicyAlgorithm`.

    Raises:
        ValueError: `patience` where no episode can be held out.
    """

    policy_aliases: ClassVar[dict[str, type[BasePolicy]]] = {
        "MlpPolicy": ActorCriticPolicy,
        "CnnPolicy": ActorCriticCnnPolicy,
        "MultiInputPolicy": MultiInputActorCriticPolicy,
    }

    def __init__(
        self,
        policy: Any,
        env: Any,
        learning_rate: Any = 1e-3,
        *,
        demonstrations: Demonstrations | None = None,
        n_steps: int = 256,
        updates: int = 200,
        batch_size: int = 64,
        ent_coef: float = 1e-3,
        max_grad_norm: float = 1.0,
        held_out: float = 0.1,
        patience: int = 0,
        gamma: float = 0.99,
        _init_setup_model: bool = True,
        **keywords: Any,
    ) -> None:
        super().__init__(
            policy,
            env,
            learning_rate,
            n_steps,
            gamma,
            gae_lambda=1.0,
            ent_coef=ent_coef,
            vf_coef=0.0,
            max_grad_norm=max_grad_norm,
            use_sde=False,
            sde_sample_freq=-1,
            _init_setup_model=False,
            **keywords,
        )
        self.demonstrations = demonstrations
        self.updates, self.batch_size = updates, batch_size
        self.held_out, self.patience = held_out, patience
        self.random = np.random.default_rng(self.seed)
        self.order: IntArray = np.zeros(0, np.int64)
        """What is left of the running epoch: rows of the demonstrations."""
        self.held_out_rows: IntArray = np.zeros(0, np.int64)
        self.least_loss = float("inf")
        """Of the held-out steps, so far."""
        self.rounds_without_gain = 0
        self.stopped = False
        if demonstrations is not None:
            self.held_out_rows = self._chosen(demonstrations)
        if _init_setup_model:
            self._setup_model()

    def _setup_model(self) -> None:
        super()._setup_model()
        self.best_policy = deepcopy(self.policy) if self.patience else None

    def _chosen(self, demonstrations: Demonstrations) -> IntArray:
        """The rows of the episodes that are held out."""
        count = len(demonstrations.episode_starts)
        out = int(self.held_out * count)
        if self.patience and not out:
            raise ValueError(
                f"agent.patience={self.patience}: held_out={self.held_out:g} of {count} episodes is less than one, so "
                "that nothing says when to stop. Give more demonstrations, a larger agent.held_out, or patience=0."
            )
        if out >= count:
            raise ValueError(
                f"agent.held_out={self.held_out:g} leaves none of {count} episodes to learn from: give less"
            )
        stops = np.append(demonstrations.episode_starts[1:], len(demonstrations))
        episodes = np.sort(self.random.permutation(count)[:out])
        rows = [np.arange(demonstrations.episode_starts[index], stops[index]) for index in episodes]
        return np.concatenate([np.zeros(0, np.int64), *rows])

    def train(self) -> None:
        """One round of updates."""
        self.policy.set_training_mode(True)
        self._update_learning_rate(self.policy.optimizer)
        if self.demonstrations is None:
            raise RuntimeError("a model that was loaded to play only cannot learn: give demonstrations")
        if not self.stopped:
            self._learn(self.demonstrations)
        self.logger.record("train/n_updates", self._n_updates, exclude="tensorboard")
        self.logger.record("train/stopped", int(self.stopped))

    def _learn(self, demonstrations: Demonstrations) -> None:
        figures: defaultdict[str, list[float]] = defaultdict(list)
        for _ in range(self.updates):
            log_probability, entropy, agreed = self._judged(demonstrations, self._batch(len(demonstrations)))
            loss = -log_probability.mean() - self.ent_coef * entropy
            self.policy.optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(self.policy.parameters(), self.max_grad_norm)
            self.policy.optimizer.step()
            self._n_updates += 1
            for name, value in (
                ("loss", loss), ("negative_log_likelihood", -log_probability.mean()), ("entropy", entropy), agreed
            ):  # fmt: skip
                figures[name].append(value.item())
        for name, values in figures.items():
            self.logger.record(f"train/{name}", float(np.mean(values)))
        weights_change()
        if len(self.held_out_rows):
            self._judge_held_out(demonstrations)

    def _judge_held_out(self, demonstrations: Demonstrations) -> None:
        self.policy.set_training_mode(False)
        with torch.no_grad():
            parts = np.array_split(self.held_out_rows, -(-len(self.held_out_rows) // _AT_ONCE))
            judged = [self._judged(demonstrations, rows) for rows in parts]
        loss = -float(torch.cat([log_probability for log_probability, *_ in judged]).mean())
        name = judged[0][2][0]
        weights = [len(rows) for rows in parts]
        self.logger.record("train/held_out_negative_log_likelihood", loss)
        self.logger.record(
            f"train/held_out_{name}", float(np.average([agreed[1].item() for *_, agreed in judged], weights=weights))
        )
        if not self.patience:
            return
        assert self.best_policy is not None
        if loss < self.least_loss:
            self.least_loss, self.rounds_without_gain = loss, 0
            self.best_policy.load_state_dict(self.policy.state_dict())
            return
        self.rounds_without_gain += 1
        if self.rounds_without_gain >= self.patience:
            self.stopped = True
            self.policy.load_state_dict(self.best_policy.state_dict())
            weights_change()

    def _judged(self, demonstrations: Demonstrations, rows: IntArray) -> tuple[Tensor, Tensor, tuple[str, Tensor]]:
        """Log-probabilities of these steps (n,), the mean entropy, and how well actions agree.

        That is the share of steps with the very action, or of continuous ones the mean distance.
        """
        held = demonstrations.observations
        if isinstance(held, dict):
            assert isinstance(self.observation_space, spaces.Dict)
            chosen: Any = {name: held[name][rows] for name in self.observation_space.spaces}
        else:
            chosen = held[rows]
        observations, _ = self.policy.obs_to_tensor(chosen)
        continuous = isinstance(self.action_space, spaces.Box)
        actions = torch.as_tensor(demonstrations.actions[rows], device=self.device)
        counted = isinstance(self.action_space, spaces.Discrete | spaces.MultiDiscrete)
        actions = actions.long() if counted else actions.float()
        distribution = self.policy.get_distribution(observations)
        log_probability = distribution.log_prob(actions)
        entropy = distribution.entropy()
        with torch.no_grad():
            likeliest = distribution.mode()
            if continuous:
                agreed = ("distance", (likeliest - actions).norm(dim=1).mean())
            else:
                agreed = ("accuracy", (likeliest == actions).reshape(len(rows), -1).all(dim=1).float().mean())
        return log_probability, (-log_probability if entropy is None else entropy).mean(), agreed

    def _batch(self, steps: int) -> IntArray:
        """The next rows of the epoch; where too few are left, the next epoch's as well."""
        parts: list[IntArray] = []
        wanted = self.batch_size
        while wanted:
            if not len(self.order):
                learned = np.setdiff1d(np.arange(steps), self.held_out_rows, assume_unique=True)
                self.order = self.random.permutation(learned)
            parts.append(self.order[:wanted])
            self.order = self.order[wanted:]
            wanted -= len(parts[-1])
        return np.concatenate(parts)

    def _excluded_save_params(self) -> list[str]:
        return [*super()._excluded_save_params(), "demonstrations", "best_policy"]

    def _get_torch_save_params(self) -> tuple[list[str], list[str]]:
        networks = ["policy", "policy.optimizer", *(["best_policy"] if self.patience else [])]
        return networks, []
