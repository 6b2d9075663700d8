"""ShapedEnv: the same reward terms over one gymnasium environment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
from gymnasium.utils import RecordConstructorArgs

from shaping.combine import Combiner
from shaping.shaper import Shaper
from shaping.terms import Observations, RewardTerm, Transitions
from shaping.transforms import Transform


class ShapedEnv(gymnasium.Wrapper[Any, Any, Any, Any], RecordConstructorArgs):
    """`ShapedVecEnv` for one environment; arguments, infos and published entries are the same.

    >>> env = ShapedEnv(gymnasium.make("CartPole-v1"), {"count": make_term("count", resolution=0.1)}, gamma=0.99)

    Raises:
        ValueError: see `Shaper`.
    """

    def __init__(
        self,
        env: gymnasium.Env[Any, Any],
        terms: Mapping[str, RewardTerm],
        *,
        combiner: Combiner | None = None,
        transforms: Mapping[str, Sequence[Transform]] | None = None,
        gamma: float,
        seed: int = 0,
        folder: str | Path | None = None,
    ) -> None:
        # copies from before the terms are bound, from which gymnasium builds a twin (`gymnasium.make(env.spec)`)
        RecordConstructorArgs.__init__(
            self, terms=dict(terms), combiner=combiner, transforms=transforms, gamma=gamma, seed=seed, folder=folder
        )
        gymnasium.Wrapper.__init__(self, env)
        self.shaper = Shaper(
            terms,
            combiner=combiner,
            transforms=transforms,
            n_envs=1,
            observation_space=env.observation_space,
            action_space=env.action_space,
            gamma=gamma,
            seed=seed,
            folder=folder,
        )
        self.observation_space = self.shaper.observation_space
        self._observations: Any = None

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        observation, info = self.env.reset(seed=seed, options=options)
        self._observations = _batch(observation)
        self.shaper.reset(self._observations, [info], np.ones(1, bool))
        return self._publish(observation), info

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        if self._observations is None:
            raise RuntimeError("step before reset: call reset() first, so that terms see where the episode starts")
        observation, reward, terminated, truncated, info = self.env.step(action)
        successors = _batch(observation)
        batch = Transitions(
            self._observations,
            np.array(action)[None],
            np.array([reward], np.float64),
            successors,
            np.array([terminated], bool),
            np.array([truncated and not terminated], bool),
            [info],
        )
        total = float(self.shaper.step(batch)[0])
        self._observations = successors
        if terminated or truncated:
            self.shaper.finish(np.ones(1, bool))
        return self._publish(observation), total, terminated, truncated, info

    def close(self) -> None:
        self.shaper.close()
        super().close()

    def _publish(self, observation: Any) -> Any:
        if not self.shaper.publishes:
            return observation
        return self.shaper.publish(observation, {name: entry[0] for name, entry in self.shaper.observe().items()})

    @property
    def terms(self) -> dict[str, RewardTerm]:
        """The terms by name."""
        return self.shaper.terms

    def update_terms(self) -> dict[str, float]:
        """One training step of every learned term; metrics by name "terms/<name>/<metric>"."""
        return self.shaper.update_terms()

    def episode_statistics(self) -> dict[str, float]:
        """Means over the last 100 finished episodes: "shaped_return", "reward/task", "reward/<name>"."""
        return self.shaper.episode_statistics()

    def state_dict(self) -> dict[str, Any]:
        """Everything a resume needs: terms, transforms, combiner, step count, statistics."""
        return self.shaper.state_dict()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` gave; call `reset` afterwards."""
        self.shaper.load_state_dict(state)


def _batch(observation: Any) -> Observations:
    """One environment's observation as a batch of one; copied, for the environment may reuse its arrays."""
    if isinstance(observation, dict):
        return {key: np.array(value)[None] for key, value in observation.items()}
    return np.array(observation)[None]
