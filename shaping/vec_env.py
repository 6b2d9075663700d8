"""ShapedVecEnv: reward terms over any Stable-Baselines3 vector environment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from stable_baselines3.common.vec_env import VecEnv, VecEnvWrapper

from shaping.combine import Combiner
from shaping.shaper import Shaper
from shaping.terms import FloatArray, Observations, RewardTerm, Rollout, Transitions
from shaping.transforms import Transform


class ShapedVecEnv(VecEnvWrapper):
    """Pays what the combiner makes of the task's reward and the terms.

    Every step writes ``infos[i]["reward_terms"] = {"task": r, name: weighted contribution, ...}``. Entries that terms
    publish join the observations (a Dict space, also in ``terminal_observation``). Put the monitor underneath, so that
    ``rollout/ep_rew_mean`` stays the task's own return:

    >>> venv = ShapedVecEnv(VecMonitor(venv), {"events": make_term("events", events=["opened_door"])}, gamma=0.99)

    Args:
        venv: the environments. They return arrays that they do not touch again, as SB3's do.
        terms: name -> term.
        combiner: default `WeightedSum()`, everything with weight 1.
        transforms: name of a signal -> transforms applied to it.
        gamma: the agent's own discount.
        seed: every term's own seed is derived from it and from the term's name.
        folder: where terms keep files for people; None: nowhere.

    Raises:
        ValueError: see `Shaper`.
    """

    def __init__(
        self,
        venv: VecEnv,
        terms: Mapping[str, RewardTerm],
        *,
        combiner: Combiner | None = None,
        transforms: Mapping[str, Sequence[Transform]] | None = None,
        gamma: float,
        seed: int = 0,
        folder: str | Path | None = None,
    ) -> None:
        self.shaper = Shaper(
            terms,
            combiner=combiner,
            transforms=transforms,
            n_envs=venv.num_envs,
            observation_space=venv.observation_space,
            action_space=venv.action_space,
            gamma=gamma,
            seed=seed,
            folder=folder,
        )
        super().__init__(venv, observation_space=self.shaper.observation_space)
        self._source = venv.unwrapped  # reset_infos live there
        self._observations: Any = None
        self._actions: Any = None

    def reset(self) -> Any:
        observations = self.venv.reset()
        self._observations = observations
        self.reset_infos = self._source.reset_infos
        self.shaper.reset(observations, self.reset_infos, np.ones(self.num_envs, bool))  # type: ignore[arg-type]
        return self.shaper.publish(observations, self.shaper.observe())

    def step_async(self, actions: Any) -> None:
        if self._observations is None:
            raise RuntimeError("step before reset: call reset() first, so that terms see where episodes start")
        self._actions = actions
        self.venv.step_async(actions)

    def step_wait(self) -> Any:
        shaper = self.shaper
        result: Any = self.venv.step_wait()
        observations, rewards, dones, infos = result
        ended = np.flatnonzero(dones) if np.count_nonzero(dones) else None
        truncated = np.zeros(self.num_envs, bool)
        successors: Any = observations
        if ended is not None:
            truncated[ended] = [bool(infos[index].get("TimeLimit.truncated", False)) for index in ended]
            successors = _true_successors(observations, infos, ended)
        batch = Transitions(
            self._observations,
            self._actions,
            np.array(rewards, np.float64),
            successors,
            dones & ~truncated if ended is not None else truncated,
            truncated,
            infos,
        )
        total = shaper.step(batch)
        self._observations = observations
        if ended is None:
            if shaper.publishes:
                observations = shaper.publish(observations, shaper.observe())
            return observations, total, dones, infos

        shaper.finish(dones)
        if shaper.publishes:
            entries = shaper.observe()
            for index in ended:
                last = {name: entry[index].copy() for name, entry in entries.items()}
                infos[index]["terminal_observation"] = shaper.publish(infos[index]["terminal_observation"], last)
        self.reset_infos = self._source.reset_infos
        shaper.reset(observations, self.reset_infos, dones)
        if shaper.publishes:
            observations = shaper.publish(observations, shaper.observe())
        return observations, total, dones, infos

    def close(self) -> None:
        self.shaper.close()
        super().close()

    @property
    def terms(self) -> dict[str, RewardTerm]:
        """The terms by name."""
        return self.shaper.terms

    def take_rollout(self) -> Rollout:
        """The transitions since the last call; empty if no term reads them."""
        return self.shaper.take_rollout()

    def update_terms(self) -> dict[str, float]:
        """One training step of every learned term; metrics by name "terms/<name>/<metric>". Call at a rollout's end."""
        return self.shaper.update_terms()

    @property
    def relabels(self) -> bool:
        """Does some term score rollouts again at their end?"""
        return self.shaper.relabels

    def relabel(self) -> FloatArray | None:
        """Changes (T, n_envs) to the rewards since the last call; see `shaping.relabel`."""
        return self.shaper.relabel()

    def episode_statistics(self) -> dict[str, float]:
        """Means over the last 100 finished episodes: "shaped_return", "reward/task", "reward/<name>"."""
        return self.shaper.episode_statistics()

    def state_dict(self) -> dict[str, Any]:
        """Everything a resume needs: terms, transforms, combiner, step count, statistics."""
        return self.shaper.state_dict()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` gave; call `reset` afterwards."""
        self.shaper.load_state_dict(state)


def _true_successors(observations: Observations, infos: Sequence[dict[str, Any]], ended: Any) -> Observations:
    """The observations with the rows of ended episodes replaced by what the vector environment hid; a copy."""
    if isinstance(observations, dict):
        copies = {key: array.copy() for key, array in observations.items()}
        for index in ended:
            for key, value in infos[index]["terminal_observation"].items():
                copies[key][index] = value
        return copies
    copy = observations.copy()
    for index in ended:
        copy[index] = infos[index]["terminal_observation"]
    return copy
