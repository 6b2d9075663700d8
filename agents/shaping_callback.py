"""What happens to rewards between two rollouts: terms learn, and changed pay is written."""

from __future__ import annotations

from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.callbacks import BaseCallback

from agents.learners import learner_of
from agents.stored_rewards import StoredRewards, stored_rewards
from shaping import Learner, ShapedVecEnv


class ShapingCallback(BaseCallback):
    """At a rollout's end, before the agent learns: learned parts learn, and changed pay is stored.

    Pay changes where a term scores the rollout again, and where an episode transform decides about
    an episode.

    Args:
        env: the stack next to the algorithm.
        stored: where the algorithm keeps its rewards, where other than in SB3's buffers.
        learner: what the algorithm shows of its policy, where other than SB3's.

    Raises:
        ValueError: when training starts, or at `prepare`: pay would change and there is nowhere to
            write it, or rewards are normalised outside of the shaping (VecNormalize), where a
            difference would have another scale; or a part reads the policy and the algorithm shows
            none.
    """

    def __init__(self, env: ShapedVecEnv, stored: StoredRewards | None = None, learner: Learner | None = None) -> None:
        super().__init__()
        self._env, self._stored, self._learner = env, stored, learner

    def prepare(self, model: BaseAlgorithm) -> None:
        """Find out whether the reward and the algorithm fit; called when training starts, too.

        Raises:
            ValueError: see the class.
        """
        if self._env.reads_policy:
            learner = self._learner or learner_of(model)
            if learner is None:
                raise ValueError(
                    f"{' and '.join(self._env.reads_policy)} must know how the agent acts, and "
                    f"{type(model).__name__} cannot say: use agent=ppo, a2c, dqn or qrdqn, or other shaping"
                )
            self._env.meet(learner)
        if not self._env.changes_pay:
            return
        self._stored = self._stored or stored_rewards(model)
        if self._stored is None:
            raise ValueError(
                f"{type(model).__name__} keeps no rewards that could change: use no shaping.episode and "
                "relabel=false with it, or another agent"
            )
        normalise = model.get_vec_normalize_env()
        if normalise is not None and normalise.norm_reward:
            raise ValueError(
                "rewards are normalised outside of the shaping, so numbers of another scale would be added; use "
                "VecNormalize(..., norm_reward=False) and the running_normalise transform of a term"
            )

    def _on_training_start(self) -> None:
        self.prepare(self.model)

    def _on_step(self) -> bool:
        return True

    def _on_rollout_end(self) -> None:
        for name, value in self._env.update_terms().items():
            self.logger.record_mean(name, value)
        changes = self._env.pay_changes()
        if self._stored is None or not changes:
            return
        for change in changes:
            self._stored.add(change.env, self._env.vector_steps - change.step, change.deltas)
        self._stored.settle()
