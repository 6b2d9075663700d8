"""ShapedEnv: the same reward terms over one gymnasium environment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
from gymnasium.utils import RecordConstructorArgs

from shaping.combine import Combiner
from shaping.episodes import EpisodeTransform
from shaping.face import Face
from shaping.shaper import Shaper
from shaping.terms import RewardTerm
from shaping.transforms import Transform
from shaping.transitions import Observations, Transitions


class ShapedEnv(Face, gymnasium.Wrapper[Any, Any, Any, Any], RecordConstructorArgs):
    """`ShapedVecEnv` for one environment; arguments, infos and published entries are the same.

    What was paid cannot be changed here once `step` has returned it. Where an episode transform, or
    a term that scores again, wants steps of a finished episode to be paid otherwise, the sum of the
    differences is paid on its last step.

    >>> from shaping import make_term
    >>> terms = {"count": make_term("count", resolution=0.1)}
    >>> env = ShapedEnv(gymnasium.make("CartPole-v1"), terms, gamma=0.99)
    >>> observation, info = env.reset(seed=0)
    >>> env.step(0)[1]  # 1 for the pole, 1 for a state never seen before
    2.0

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
        episode: EpisodeTransform | None = None,
        gamma: float,
        seed: int = 0,
        bootstraps: bool = True,
        folder: str | Path | None = None,
        publishing_only: bool = False,
    ) -> None:
        parts: dict[str, Any] = {
            "combiner": combiner,
            "transforms": transforms,
            "episode": episode,
            "gamma": gamma,
            "seed": seed,
            "bootstraps": bootstraps,
            "folder": folder,
            "publishing_only": publishing_only,
        }
        # copies from before the parts are bound, from which gymnasium builds a twin
        # (`gymnasium.make(env.spec)`)
        RecordConstructorArgs.__init__(self, terms=dict(terms), **parts)
        gymnasium.Wrapper.__init__(self, env)
        self.shaper = Shaper(
            terms, n_envs=1, observation_space=env.observation_space, action_space=env.action_space, **parts
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
            self.shaper.finish(batch)
            total += sum(float(change.deltas.sum()) for change in self.shaper.pay_changes())
        return self._publish(observation), total, terminated, truncated, info

    def close(self) -> None:
        self.shaper.close()
        super().close()

    def _publish(self, observation: Any) -> Any:
        if not self.shaper.publishes:
            return observation
        return self.shaper.publish(observation, {name: entry[0] for name, entry in self.shaper.observe().items()})


def _batch(observation: Any) -> Observations:
    """An observation as a batch of one; copied, for the environment may reuse its arrays."""
    if isinstance(observation, dict):
        return {key: np.array(value)[None] for key, value in observation.items()}
    return np.array(observation)[None]
