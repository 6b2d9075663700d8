"""What the agent is paid, and how that is learned."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from stable_baselines3.common.type_aliases import ReplayBufferSamples
from torch import Tensor

from agents.imitation.expert import Expert
from agents.imitation.forward_model import ForwardModel
from agents.imitation.quick_logits import QuickLogits, quick_rewards
from agents.imitation.relabelled import RelabelledReplayBuffer
from agents.imitation.settings import Imitation
from agents.imitation.view import View
from shaping.adversarial import Discriminator, DiscriminatorTraining, Judgement, Pairs, kappa, reward_from_logits

Array = npt.NDArray[Any]
MOMENT = 10
"""Batches that PURPLE's running deviation is taken over, and the least variance of it."""
LEAST_VARIANCE = 0.01


class LearnedReward:
    """Pays a replay buffer's steps, and learns what to pay.

    Everything here is computed on the CPU, in networks too small to gain by anything else.

    Args:
        settings: what it is.
        observation_width, action_width: of a step.
        expert: whom it is learned from; None: nobody, to be loaded and to play only.
        seed: of first weights, and of what the penalty, labels and minibatches draw.
    """

    def __init__(
        self,
        settings: Imitation,
        observation_width: int,
        action_width: int,
        expert: Expert | None = None,
        *,
        seed: int = 0,
    ) -> None:
        self.settings, self.expert = settings, expert
        self.view = View(settings, observation_width, action_width, expert)
        network = Discriminator(
            *self.view.widths,
            settings.d_net_arch,
            spectral_norm=settings.spectral_norm,
            observation_clip=settings.obs_clip or None,
            seed=seed,
        )
        self.training = DiscriminatorTraining(
            network,
            penalty=settings.gradient_penalty(),
            labels=settings.expert_labels(),
            entropy=settings.d_entropy,
            learning_rate=settings.d_learning_rate,
            seed=seed + 1,
        )
        self._quick = QuickLogits(network)
        self.model: ForwardModel | None = None
        if settings.models:
            rate = settings.model_learning_rate
            self.model = ForwardModel(observation_width, action_width, learning_rate=rate, seed=seed + 2)
        self.random = np.random.default_rng(seed + 3)
        self.scale = 1.0
        if settings.reward == "random" and expert is not None:
            logits = network.score(self._of_expert(np.arange(len(expert))))
            self.scale = float(logits.std(unbiased=False)) or 1.0
        self.steepness: deque[float] = deque(maxlen=MOMENT)
        self.factor = 1.0

    @property
    def network(self) -> Discriminator:
        """Who tells agent and expert apart."""
        return self.training.network

    def pay(self, observations: Array, actions: Array, next_observations: Array, absorbing: Array) -> Array:
        """Rewards (m,) of steps as of now, without gradients; see `Payer`."""
        if self.settings.reward == "sqil":
            return np.zeros(len(actions))
        if self.settings.reward == "constant":
            paid: Array = np.full(len(actions), self.settings.constant)
        else:
            rows = self.view.rows(observations, actions, next_observations, absorbing)
            logits = self._quick(*rows)
            random = self.settings.reward == "random"
            paid = logits / self.scale if random else quick_rewards(logits, self.settings.reward)
        if self.settings.purple != "none":
            paid = paid * self._factor(observations, actions)
        return paid

    def beyond(self, gamma: float) -> float:
        """Of "dac" r_abs/(1 − γ), the sum of Σ γ^k r_abs after a termination; else 0."""
        if self.settings.absorbing != "dac":
            return 0.0
        if self.settings.reward == "constant":
            return self.settings.constant / (1.0 - gamma)
        return float(self._reward(self.network.score(self.view.absorbing(1)))) / (1.0 - gamma)

    def mix(self, samples: ReplayBufferSamples) -> ReplayBufferSamples:
        """Of "sqil": half of the batch is the expert's, and paid 1 a step."""
        if self.settings.reward != "sqil":
            return samples
        expert = self._expert()
        own = len(samples.rewards) - len(samples.rewards) // 2
        rows = self.random.integers(len(expert), size=len(samples.rewards) - own)
        theirs = (
            expert.observations[rows],
            expert.actions[rows],
            expert.next_observations[rows],
            expert.terminated[rows, None],
            np.ones((len(rows), 1), np.float32),
        )
        return ReplayBufferSamples(
            *(
                torch.cat([mine[:own], torch.as_tensor(column, dtype=mine.dtype, device=mine.device)])
                for mine, column in zip(samples[:5], theirs, strict=True)
            )
        )

    def learn(self, buffer: RelabelledReplayBuffer) -> dict[str, float]:
        """What is to be learned after an update of the critics; metrics of it, by name."""
        metrics: dict[str, float] = {}
        if self.model is not None:
            observations, actions, successors, _ = self._drawn(buffer, self.settings.d_batch_size)
            error = self.model.fit(_together(observations, actions), torch.as_tensor(successors, dtype=torch.float32))
            metrics["model_loss"] = error
        if self.settings.purple != "none":
            metrics["kappa"] = self.factor
        if not self.settings.adversarial:
            return metrics
        judgement = None
        for agent, expert in self._minibatches(buffer):
            judgement = self.training.step(agent, expert)
        assert judgement is not None
        self._quick.changed()
        return metrics | _metrics(judgement)

    def gradient_of_reward(self, observations: Tensor, actions: Tensor, successors: Tensor) -> Tensor:
        """‖∇ r‖ at each step, (n,), over state and action as the learner has them."""
        return self._norms(observations, actions, successors, self._reward)

    def gradient_of_logit(self, observations: Tensor, actions: Tensor, successors: Tensor) -> Tensor:
        """‖∇ z‖ at each step, (n,)."""
        return self._norms(observations, actions, successors, lambda logits: logits)

    def _norms(self, observations: Tensor, actions: Tensor, successors: Tensor, of: Any) -> Tensor:
        training = self.network.training
        self.network.eval()
        with torch.enable_grad():
            states, acts = observations.detach().requires_grad_(), actions.detach().requires_grad_()
            logits = self.network(*self.view(states, acts, successors))
            gradients = torch.autograd.grad(of(logits).sum(), [states, acts], allow_unused=True, materialize_grads=True)
        self.network.train(training)
        return torch.cat(gradients, dim=1).norm(dim=1)

    def _reward(self, logits: Tensor) -> Tensor:
        if self.settings.reward == "random":
            return logits / self.scale
        return reward_from_logits(logits, self.settings.reward)

    def _factor(self, observations: Array, actions: Array) -> Array | float:
        """PURPLE's κ, of the batch or (m,) of each step."""
        assert self.model is not None
        tau = self.settings.purple_tau
        excess = (self.model.sum_slopes(_together(observations, actions)) - tau).clamp(min=0.0).square()
        batch = excess.mean()
        self.steepness.append(float(batch))
        scale = math.sqrt(max(float(np.var(self.steepness)), LEAST_VARIANCE))
        of = batch if self.settings.purple == "batch" else excess
        factor = kappa(tau + of.sqrt(), tau, scale, self.settings.purple_floor).numpy().astype(np.float64)
        self.factor = float(factor.mean())
        return factor

    def _minibatches(self, buffer: RelabelledReplayBuffer) -> Iterator[tuple[Pairs, Pairs]]:
        """Agent's and expert's pairs of every step of the discriminator, as many of both."""
        size, expert = self.settings.d_batch_size, self._expert()
        available = len(expert) + (expert.absorbed if self.view.flags else 0)
        if self.settings.d_steps > 0:
            for _ in range(self.settings.d_steps):
                yield self._of_agent(buffer, size), self._of_expert(self.random.integers(available, size=size))
            return
        size = min(size, available)
        agent, order = self._of_agent(buffer, size), self.random.permutation(available)
        for start in range(0, available - size + 1, size):
            yield agent, self._of_expert(order[start : start + size])

    def _of_expert(self, rows: Array) -> Pairs:
        """Pairs of the expert; rows beyond its steps are absorbing ones."""
        expert = self._expert()
        absorbing = rows >= len(expert)
        steps = np.where(absorbing, 0, rows)
        return self.view(expert.observations[steps], expert.actions[steps], expert.next_observations[steps], absorbing)

    def _of_agent(self, buffer: RelabelledReplayBuffer, size: int) -> Pairs:
        """Pairs of the agent; of "dac" one absorbing pair for every termination stored, too."""
        observations, actions, successors, absorbing = self._drawn(buffer, size)
        if self.settings.absorbing == "dac":
            ended, steps = buffer.terminations(), buffer.filled() * buffer.n_envs
            absorbing = self.random.random(size) < ended / (ended + steps)
        return self.view(observations, actions, successors, absorbing)

    def _drawn(self, buffer: RelabelledReplayBuffer, size: int) -> tuple[Array, Array, Array, Array]:
        rows = self.random.integers(buffer.filled(), size=size)
        return buffer.steps(rows, self.random.integers(buffer.n_envs, size=size))

    def _expert(self) -> Expert:
        if self.expert is None:
            raise ValueError("it was made without demonstrations and can only play: give demonstrations to learn")
        return self.expert

    def state_dict(self) -> dict[str, Any]:
        """Whatever a resume needs: networks, optimisers, streams, units, PURPLE's moment."""
        state: dict[str, Any] = {
            "discriminator": self.training.state_dict(),
            "view": self.view.state_dict(),
            "scale": self.scale,
            "random": self.random.bit_generator.state,
            "steepness": list(self.steepness),
            "factor": self.factor,
        }
        if self.model is not None:
            state["model"] = dict(self.model.state_dict())
            state["model_optimiser"] = self.model.optimiser.state_dict()
        return state

    def load_state_dict(self, state: Mapping[str, Any], strict: bool = True) -> None:
        """Take over what `state_dict` gave; `strict`, SB3's word, is always so.

        Raises:
            ValueError: it is of other settings.
        """
        if ("model" in state) != (self.model is not None):
            raise ValueError("one has a forward model and the other has none: use the same purple and fit_model")
        self.training.load_state_dict(_on_cpu(state["discriminator"]))
        self._quick.changed()
        self.view.load_state_dict(state["view"])
        self.scale, self.factor = float(state["scale"]), float(state["factor"])
        self.random.bit_generator.state = state["random"]
        self.steepness = deque(state["steepness"], maxlen=MOMENT)
        if self.model is not None:
            self.model.load_state_dict(_on_cpu(state["model"]))
            self.model.optimiser.load_state_dict(_on_cpu(state["model_optimiser"]))


def _together(observations: Array, actions: Array) -> Tensor:
    return torch.as_tensor(np.concatenate([observations, actions], axis=1), dtype=torch.float32)


def _metrics(judgement: Judgement) -> dict[str, float]:
    metrics = {f"d_{name}": value for name, value in judgement.metrics().items()}
    if len(judgement.norms):
        metrics |= {"d_slope_mean": float(judgement.norms.mean()), "d_slope_max": float(judgement.norms.max())}
    return metrics


def _on_cpu(state: Any) -> Any:
    """A saved state where SB3 has put its tensors on the learner's device."""
    if isinstance(state, Tensor):
        return state.cpu()
    if isinstance(state, Mapping):
        return {key: _on_cpu(value) for key, value in state.items()}
    return [_on_cpu(value) for value in state] if isinstance(state, list) else state
