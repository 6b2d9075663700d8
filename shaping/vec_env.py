"""ShapedVecEnv: reward terms over any Stable-Baselines3 vector environment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from stable_baselines3.common.vec_env import VecEnv, VecEnvWrapper

from shaping.combine import Combiner
from shaping.episodes import EpisodeTransform
from shaping.face import Face
from shaping.shaper import Shaper
from shaping.terms import RewardTerm
from shaping.transforms import Transform
from shaping.transitions import Observations, Transitions


class ShapedVecEnv(Face, VecEnvWrapper):
    """Pays what the combiner makes of the task's reward and the terms.

    Every step writes ``infos[i]["reward_terms"] = {"task": r, name: weighted contribution, ...}``.
    Entries that parts publish join the observations (a Dict space, also in
    ``terminal_observation``). Put the monitor underneath, so that ``rollout/ep_rew_mean`` stays the
    task's own return:

    >>> from shaping import make_term
    >>> from stable_baselines3.common.env_util import make_vec_env
    >>> venv = make_vec_env("CartPole-v1", n_envs=2)  # each with its Monitor
    >>> venv = ShapedVecEnv(venv, {"count": make_term("count", scope="episodic")}, gamma=0.99)
    >>> observations = venv.reset()
    >>> observations, rewards, dones, infos = venv.step([0, 1])
    >>> infos[0]["reward_terms"]
    {'task': 1.0, 'count': 1.0}

    Args:
        venv: the environments. They return arrays that they do not touch again, as SB3's do.
        terms: name -> term.
        combiner: default `WeightedSum()`, everything with weight 1.
        transforms: name of a signal -> transforms applied to it.
        episode: decides about the rewards of whole episodes. Somebody must write what
            `pay_changes` says where the algorithm learns from.
        gamma: the agent's own discount.
        seed: every part's own seed is derived from it and from the part's name.
        bootstraps: does the agent go on with V(s') where time ran out?
        folder: where parts keep files for people; None: nowhere.
        publishing_only: drop what no observation needs; see `Shaper`.

    Raises:
        ValueError: see `Shaper`; or a term is paid by events that the environment, which says what
            it ``detects``, was not asked for.
    """

    def __init__(
        self,
        venv: VecEnv,
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
        self.shaper = Shaper(
            terms,
            combiner=combiner,
            transforms=transforms,
            episode=episode,
            n_envs=venv.num_envs,
            observation_space=venv.observation_space,
            action_space=venv.action_space,
            gamma=gamma,
            seed=seed,
            bootstraps=bootstraps,
            folder=folder,
            publishing_only=publishing_only,
        )
        _refuse_undetected(terms, getattr(venv.unwrapped, "detects", None))
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

        shaper.finish(batch)
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


def _refuse_undetected(terms: Mapping[str, RewardTerm], detects: Sequence[str] | None) -> None:
    """Events that nobody looks for never happen, and a step without any looks the same."""
    if detects is None:  # it does not say
        return
    for name, term in terms.items():
        missing = [event for event in term.event_names if event not in detects]
        if "events" in term.requires and (missing or not detects):
            raise ValueError(
                f"reward term {name!r} is paid by events, and the environment was not asked to detect "
                f"{', '.join(missing) or 'any'}: make it with report=['events'] and events="
                f"{list(term.event_names) or '[...]'}"
            )


def _true_successors(observations: Observations, infos: Sequence[dict[str, Any]], ended: Any) -> Observations:
    """A copy of the observations with the rows of ended episodes as they were before the reset."""
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
