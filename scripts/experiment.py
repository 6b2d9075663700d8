"""From a checked configuration to what learns: environment, reward terms, agent."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

import agents
import envs
from agents.build import resolve_device
from omegaconf import DictConfig, OmegaConf
from shaping.combine import WeightedSum
from shaping.episodes import EpisodeTransform
from shaping.registry import episode_transforms, make_term, transforms
from shaping.terms import RewardTerm
from shaping.transforms import Transform
from shaping.vec_env import ShapedVecEnv
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.vec_env import VecMonitor

from scripts.configuration import ConfigurationError, TermConfig

_COMMON = tuple(TermConfig.__dataclass_fields__)


@dataclass
class Rewards:
    """The parts of ``shaping`` in a configuration, built: what `ShapedVecEnv` takes, and the episode transform."""

    terms: dict[str, RewardTerm]
    transforms: dict[str, list[Transform]]
    combiner: WeightedSum
    episode: EpisodeTransform | None

    @property
    def requires(self) -> frozenset[str]:
        """Info entries that the terms read."""
        return frozenset().union(*(term.requires for term in self.terms.values()))

    @property
    def events(self) -> tuple[str, ...]:
        """Events that the terms want detected."""
        names = (name for term in self.terms.values() for name in getattr(term, "event_names", ()))
        return tuple(dict.fromkeys(names))


def settle(config: DictConfig) -> DictConfig:
    """A copy in which everything that depends on the environment is written out: id, steps, events.

    Raises:
        ConfigurationError: an unknown environment (the nearest are named).
    """
    config = config.copy()
    try:
        description = envs.describe(config.env.id)
    except ValueError as error:
        raise ConfigurationError(f"env.id={config.env.id}: {error}") from error
    config.env.id = description.id
    if not config.env.events:
        config.env.events = list(description.events)
    if config.total_timesteps is None:
        config.total_timesteps = config.env.total_timesteps
    for term in config.shaping.terms.values():
        # a term that is about events, and was told none, is about those that count on this task
        if "events" in term and not term.events:
            term.events = list(config.env.events)
    return config


def build_rewards(config: DictConfig) -> Rewards:
    """The reward terms and their companions, checked against what the environment reports.

    Raises:
        ConfigurationError: a term that refuses its arguments, a weight that is no finite number or schedule, or a term
            whose input this environment does not have.
    """
    terms: dict[str, RewardTerm] = {}
    steps: dict[str, list[Transform]] = {}
    weights: dict[str, float | str] = {"task": config.shaping.task_weight}
    description = envs.describe(config.env.id)
    for name, term_config in config.shaping.terms.items():
        arguments = {key: _plain(value) for key, value in term_config.items() if key not in _COMMON}
        missing = sorted({"events"} & set(arguments)) if not description.events else []
        if missing and not arguments["events"]:
            raise ConfigurationError(
                f"shaping={name}: {description.id} detects no events. {_instead(description.reports)}"
            )
        try:
            term = make_term(name, **arguments)
            steps[name] = _transforms(term_config)
        except (ValueError, TypeError) as error:
            raise ConfigurationError(f"shaping.terms.{name}: {error}") from error
        lacking = sorted(term.requires - description.reports)
        if lacking:
            raise ConfigurationError(
                f"shaping={name} needs the environment to report {', '.join(lacking)}, and {description.id} reports "
                f"{', '.join(sorted(description.reports)) or 'nothing'}. {_instead(description.reports)}"
            )
        for event in getattr(term, "event_names", ()):
            if event not in description.events:
                near = difflib.get_close_matches(event, description.events, n=1, cutoff=0.4)
                hint = f" Did you mean {near[0]}?" if near else ""
                raise ConfigurationError(
                    f"shaping.terms.{name}: {description.id} detects no event {event!r}.{hint} "
                    f"It detects {', '.join(description.events)}."
                )
        terms[name] = term
        weights[name] = term_config.weight
    try:
        combiner = WeightedSum(weights, withheld=tuple(config.shaping.episode.withheld))
        combiner.bind(["task", *terms])
        episode = _episode_transform(config.shaping.episode)
    except (ValueError, TypeError) as error:
        raise ConfigurationError(f"shaping: {error}") from error
    return Rewards(terms, {name: some for name, some in steps.items() if some}, combiner, episode)


def build_environment(
    config: DictConfig,
    rewards: Rewards,
    *,
    split: str = "train",
    n_envs: int | None = None,
    seed: int | None = None,
    workers: int | None = None,
    render_mode: str | None = None,
) -> ShapedVecEnv:
    """The stack that an agent acts in: environment → VecMonitor → ShapedVecEnv.

    Raises:
        ConfigurationError: the environment cannot be built, or a term cannot work in it; with the reason.
    """
    kwargs: dict[str, Any] = {str(key): _plain(value) for key, value in config.env.kwargs.items()}
    if render_mode is not None:
        kwargs["render_mode"] = render_mode
    seed = config.seed if seed is None else seed
    try:
        venv = envs.make_vec(
            config.env.id,
            config.n_envs if n_envs is None else n_envs,
            seed=seed,
            workers=config.workers if workers is None else workers,
            report=tuple(sorted(rewards.requires)),
            events=rewards.events or None,
            split=split,
            **kwargs,
        )
    except (ValueError, TypeError) as error:
        raise ConfigurationError(f"env.id={config.env.id}: {error}") from error
    try:
        return ShapedVecEnv(
            VecMonitor(venv),
            rewards.terms,
            combiner=rewards.combiner,
            transforms=rewards.transforms,
            gamma=config.agent.gamma,
            seed=seed,
        )
    except ValueError as error:
        venv.close()
        raise ConfigurationError(f"shaping: {error}") from error


def build_agent(config: DictConfig, env: ShapedVecEnv) -> BaseAlgorithm:
    """The agent of a configuration.

    Raises:
        ConfigurationError: it cannot act in this environment; with the reason.
    """
    hyperparameters: dict[str, Any] = {str(key): _plain(value) for key, value in config.agent.items()}
    name = hyperparameters.pop("name")
    try:
        return agents.build(name, env, seed=config.seed, device=resolve_device(config.device), **hyperparameters)
    except ValueError as error:
        raise ConfigurationError(str(error)) from error


def _episode_transform(config: DictConfig) -> EpisodeTransform | None:
    if config.name is None:
        for key in ("withheld", "arguments"):
            if config[key]:
                raise ValueError(f"episode.{key} is given without episode.name: nothing would pay or read it")
        return None
    arguments: Mapping[str, Any] = _plain(config.arguments)
    return episode_transforms.make(config.name, **arguments)


def _transforms(config: DictConfig) -> list[Transform]:
    chosen: list[Transform] = []
    if config.normalise:
        # the mean stays: taking it away would pay for longer or shorter episodes
        chosen.append(transforms.make("running_normalise", scale_only=True))
    for name, arguments in config.transforms.items():
        chosen.append(transforms.make(str(name), **(_plain(arguments) or {})))
    if config.clip is not None:
        chosen.append(transforms.make("clip", low=-config.clip, high=config.clip))
    return chosen


def _instead(reports: frozenset[str]) -> str:
    if reports:
        return "Choose another term, or another environment."
    return "Terms that read observations alone (count, rnd) work everywhere; or choose a minihack/ or nethack/ environment."


def _plain(value: Any) -> Any:
    """Containers as Python's own, for constructors that know nothing of OmegaConf."""
    if OmegaConf.is_config(value):
        return OmegaConf.to_container(value, resolve=True, enum_to_str=False)
    return value.value if isinstance(value, Enum) else value
