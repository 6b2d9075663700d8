"""Actor and critic with attention, and the auxiliary tasks beside the actor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from stable_baselines3.common.policies import ActorCriticPolicy
from stable_baselines3.common.type_aliases import Schedule
from torch import Tensor

from agents.features.perceiver import PerceiverFeatures
from agents.lucy.auxiliary import RewardPrediction, StateRepresentation

TASKS = ("reward", "state")


class AuxiliaryPolicy(ActorCriticPolicy):
    """Two `PerceiverFeatures`, one for the actor and one for the critic, and the auxiliary tasks.

    The tasks' weights belong to the policy: they are saved, loaded and optimised with it.

    Args:
        tasks: of "reward" (`RewardPrediction`) and "state" (`StateRepresentation`).
        relu_output: see `StateRepresentation`.
        arguments: of SB3's `ActorCriticPolicy`.

    Raises:
        ValueError: an unknown task, or features without attention.
    """

    pi_features_extractor: PerceiverFeatures
    vf_features_extractor: PerceiverFeatures

    def __init__(
        self, *arguments: Any, tasks: Sequence[str] = TASKS, relu_output: bool = False, **keywords: Any
    ) -> None:
        if unknown := sorted(set(tasks) - set(TASKS)):
            raise ValueError(f"there is no auxiliary task {', '.join(unknown)}; they are {', '.join(TASKS)}")
        self.tasks, self.relu_output = tuple(tasks), relu_output
        features = keywords.setdefault("features_extractor_class", PerceiverFeatures)
        if not issubclass(features, PerceiverFeatures):
            raise ValueError(f"the auxiliary tasks need features=perceiver, not {features.__name__}")
        keywords["share_features_extractor"] = False
        super().__init__(*arguments, **keywords)

    def _build(self, lr_schedule: Schedule) -> None:
        super()._build(lr_schedule)
        features = self.pi_features_extractor
        width, heads = features.features_dim, features.heads
        self.reward_prediction = RewardPrediction(width, heads) if "reward" in self.tasks else None
        self.state_representation = (
            StateRepresentation(width, heads, features.n_keys, features.key_features, self.relu_output)
            if "state" in self.tasks
            else None
        )
        if self.tasks:  # one optimiser for everything
            self.optimizer = self.optimizer_class(self.parameters(), lr=lr_schedule(1), **self.optimizer_kwargs)  # type: ignore[call-arg]

    def evaluate_latents(self, latent_pi: Tensor, latent_vf: Tensor, actions: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Values (batch, 1), log-probabilities and entropies (batch,) of actions, from features."""
        distribution = self._get_action_dist_from_latent(self.mlp_extractor.forward_actor(latent_pi))
        log_prob = distribution.log_prob(actions)
        entropy = distribution.entropy()
        if entropy is None:  # as SB3: a sample's surprise stands for it
            entropy = -log_prob
        return self.value_net(self.mlp_extractor.forward_critic(latent_vf)), log_prob, entropy

    def _get_constructor_parameters(self) -> dict[str, Any]:
        return {**super()._get_constructor_parameters(), "tasks": self.tasks, "relu_output": self.relu_output}
