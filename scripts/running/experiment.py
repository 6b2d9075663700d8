"""From a `RunConfig` to environments, reward terms and agent. What cannot work is refused here."""

from __future__ import annotations

import dataclasses
import inspect
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.vec_env import VecMonitor

import envs
from agents.build import algorithms, build, resolve_device
from agents.features import SHARDED
from foundation.naming import nearest
from scripts.configuration.groups import TERM_OPTIONS, RunConfig
from shaping import Schedule, ShapedVecEnv, WeightedSum, make_term
from shaping.episodes import EpisodeTransformCallback
from shaping.episodes import registry as episode_transforms
from shaping.llm import LanguageModel
from shaping.terms import RewardTerm
from shaping.terms import registry as reward_terms
from shaping.transforms import Clip, RunningNormalise, Transform

_OWN_THREADS = torch.get_num_threads()  # before any agent changes it: a sweep builds several in one process


@dataclass(frozen=True)
class Terms:
    """The reward terms of an experiment and what belongs to each."""

    terms: Mapping[str, RewardTerm]
    weights: Mapping[str, float | str]  # "task" included
    transforms: Mapping[str, list[Transform]]
    withheld: tuple[str, ...]  # by the episode transform
    report: tuple[str, ...]  # info entries that they need
    events: tuple[str, ...]  # events that they need detected


def check(config: RunConfig) -> None:
    """Refuse, without building any environment, what can be known to fail.

    Raises:
        ValueError: with the setting that is wrong, what it must be, and what to do.
    """
    for name in ("n_envs", "checkpoint_every", "total_timesteps", "torch_threads"):
        value = getattr(config, name)
        if value is not None and value < 1:
            raise ValueError(f"{name}={value} is too small; it must be at least 1.")
    for name in ("seed", "workers", "evaluate_episodes"):
        if getattr(config, name) < 0:
            raise ValueError(f"{name}={getattr(config, name)} is negative; it must be 0 or more.")
    if config.seed >= 2**32:
        raise ValueError(f"seed={config.seed} is too large; it must be below 2**32, numpy's limit.")
    if config.workers > config.n_envs:
        raise ValueError(
            f"workers={config.workers} are more than n_envs={config.n_envs}; every worker needs an environment."
        )
    if config.env.total_timesteps < 1:
        raise ValueError(f"env.total_timesteps={config.env.total_timesteps} is too small; it must be at least 1.")
    for name, value in settings(config.agent).items():
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError(f"agent.{name}={value} is not finite; give a number.")
    gamma = settings(config.agent)["gamma"]
    if not 0.0 <= gamma <= 1.0:
        raise ValueError(f"agent.gamma={gamma} is no discount; it must lie between 0 and 1.")
    resolve_device(settings(config.agent)["device"])
    build_terms(config)
    episode_transform(config)


def build_terms(config: RunConfig) -> Terms:
    """The reward terms, built but not bound; what they need is matched with what the environment reports.

    Raises:
        ValueError: a bad argument, weight or schedule, or a need that the environment cannot meet.
    """
    description = envs.describe(config.env.id)
    terms: dict[str, RewardTerm] = {}
    weights: dict[str, float | str] = {"task": _weight("shaping.task_weight", config.shaping.task_weight)}
    transforms: dict[str, list[Transform]] = {}
    report: set[str] = set()
    events: dict[str, None] = {}
    for name, term_settings in config.shaping.terms.items():
        arguments = settings(term_settings)
        weight, normalise, clip = (arguments.pop(option) for option in TERM_OPTIONS)
        weights[name] = _weight(f"shaping.terms.{name}.weight", weight)
        if name == "events" and not arguments.get("events", True):
            arguments["events"] = list(config.env.events)
            if not arguments["events"] and description.events:
                raise ValueError(
                    f"shaping=events needs to know which events, and {description.id} has no usual ones. "
                    f"Give shaping.terms.events.events=[...]{_detects(description)}"
                )
            if not arguments["events"]:
                raise ValueError(
                    f"shaping=events needs the environment to report events, and {description.id} reports "
                    f"{', '.join(sorted(description.reports)) or 'nothing'}. "
                    "Choose another term or another environment."
                )
        if takes_language_model(name):
            arguments["language_model"] = language_model(config)
        try:
            term = make_term(name, **arguments)
        except ValueError as error:
            raise ValueError(f"shaping.terms.{name}: {error}") from error
        missing = sorted(term.requires - description.reports)
        if missing:
            able = ", ".join(sorted(description.reports)) or "nothing"
            raise ValueError(
                f"shaping={name} needs the environment to report {', '.join(missing)}, "
                f"and {description.id} reports {able}. "
                "Choose another term or another environment."
            )
        report |= term.requires
        if "events" in term.requires:
            wanted = tuple(getattr(term, "event_names", ()) or description.events)
            for event in wanted:
                if event not in description.events:
                    raise ValueError(
                        f"shaping.terms.{name} names the event {event!r}, which {description.id} cannot detect."
                        f"{nearest(event, description.events)}{_detects(description)}"
                    )
            events.update(dict.fromkeys(wanted))
        terms[name] = term
        chain: list[Transform] = []
        if normalise:
            chain.append(RunningNormalise(scale_only=True))  # a subtracted mean would change which policy is best
        if clip is not None:
            if not (math.isfinite(clip) and clip > 0):
                raise ValueError(f"shaping.terms.{name}.clip={clip}: give a number above 0; rewards stay within ± it.")
            chain.append(Clip(-clip, clip))
        transforms[name] = chain

    withheld: tuple[str, ...] = ()
    if config.shaping.episode.name is not None:
        chosen = config.shaping.episode.withheld
        withheld = tuple(terms) if chosen is None else tuple(chosen)
        for signal in withheld:
            if signal not in weights:
                raise ValueError(f"shaping.episode.withheld names {signal!r}; signals here are {', '.join(weights)}.")
    if config.env.statistics:
        if "stats" not in description.reports:
            raise ValueError(f"env.statistics=true: {description.id} keeps no statistics of its episodes; give false.")
        report.add("stats")
    for name, term in terms.items():
        if term.relabels and (transforms[name] or config.shaping.episode.name is not None):
            raise ValueError(
                f"shaping.terms.{name}.relabel=true changes rewards after the fact, so nothing else may: give neither "
                f"shaping.terms.{name}.normalise, .clip nor shaping.episode.name, or relabel=false."
            )
    return Terms(terms, weights, transforms, withheld, tuple(sorted(report)), tuple(events))


def takes_language_model(term: str) -> bool:
    """Has the term's constructor an argument `language_model`?"""
    return "language_model" in inspect.signature(reward_terms.get(term)).parameters


def language_model(config: RunConfig) -> LanguageModel:
    """The language model of the group `llm`. Nothing is started or connected before it is asked.

    Raises:
        ValueError: settings that cannot work.
    """
    return LanguageModel(**settings(config.llm))


def episode_transform(config: RunConfig) -> EpisodeTransformCallback | None:
    """The callback of `shaping.episode`, or None.

    Raises:
        ValueError: unknown, or with bad arguments.
    """
    episode = config.shaping.episode
    if episode.name is None:
        if episode.arguments or episode.withheld is not None:
            raise ValueError(
                "shaping.episode.arguments and .withheld belong to an episode transform, and shaping.episode.name is "
                f"null. Give the name: {', '.join(episode_transforms.names())}."
            )
        return None
    try:
        return EpisodeTransformCallback(episode_transforms.make(episode.name, **episode.arguments))
    except (ValueError, TypeError) as error:
        raise ValueError(f"shaping.episode: {error}") from error


def build_env(
    config: RunConfig,
    *,
    split: str = "train",
    n_envs: int | None = None,
    workers: int | None = None,
    seed: int | None = None,
    render_mode: str | None = None,
) -> ShapedVecEnv:
    """The stack that the agent acts in: environments, VecMonitor, ShapedVecEnv.

    Args:
        config: of the run.
        split: "train" or "eval".
        n_envs, workers, seed: where other than the configuration's.
        render_mode: "rgb_array" to make `get_images` work.

    Raises:
        ValueError: a combination that cannot work, with the reason.
    """
    parts = build_terms(config)
    seed = config.seed if seed is None else seed
    arguments = dict(config.env.kwargs)
    if render_mode is not None:
        arguments["render_mode"] = render_mode
    try:
        venv = envs.make_vec(
            config.env.id,
            config.n_envs if n_envs is None else n_envs,
            seed=seed,
            workers=config.workers if workers is None else workers,
            report=parts.report,
            events=parts.events or None,
            split=split,
            **arguments,
        )
    except TypeError as error:  # an argument that the environment's constructor does not know
        raise ValueError(f"env.kwargs={config.env.kwargs} does not fit {config.env.id}: {error}") from error
    try:
        return ShapedVecEnv(
            VecMonitor(venv),
            parts.terms,
            combiner=WeightedSum(parts.weights, withheld=parts.withheld),
            transforms=parts.transforms,
            gamma=settings(config.agent)["gamma"],
            seed=seed,
            folder=None if config.run_dir is None else Path(config.run_dir) / "terms",
        )
    except Exception:
        venv.close()
        raise


def build_agent(name: str, config: RunConfig, env: ShapedVecEnv) -> BaseAlgorithm:
    """The algorithm in `env`, new.

    Raises:
        ValueError: an agent that cannot act there, with the reason.
    """
    hyperparameters = settings(config.agent)
    hyperparameters.pop("log_every", None)  # the trainer's
    device = resolve_device(hyperparameters.pop("device"))
    return build(algorithm(name), env, seed=config.seed, device=device, threads=threads(config), **hyperparameters)


def algorithm(option: str) -> str:
    """The algorithm of an option of the group agent.

    >>> algorithm("recurrent_ppo/nethack")
    'recurrent_ppo'
    """
    return option.partition("/")[0]


def threads(config: RunConfig) -> int:
    """Threads to learn with: `torch_threads`, or as many as torch takes by itself."""
    return _OWN_THREADS if config.torch_threads is None else config.torch_threads


def set_threads(config: RunConfig, agent: BaseAlgorithm) -> None:
    """Give a loaded agent the threads that `agents.build` gives a new one."""
    sharded = agent.policy_kwargs.get("features_extractor_class") in SHARDED
    torch.set_num_threads(1 if sharded else threads(config))


def load_agent(name: str, path: Any, config: RunConfig, env: ShapedVecEnv | None) -> BaseAlgorithm:
    """The algorithm from its file, with `env` to act in (None: for prediction only)."""
    return algorithms[algorithm(name)].load(path, env=env, device=resolve_device(settings(config.agent)["device"]))


def settings(group: Any) -> dict[str, Any]:
    """A group's settings as a dict of its own, whether it came from Hydra (a dataclass) or from a file (a dict)."""
    if dataclasses.is_dataclass(group) and not isinstance(group, type):
        return {entry.name: getattr(group, entry.name) for entry in dataclasses.fields(group)}
    return dict(group)


def _weight(where: str, value: float | str) -> float | str:
    try:
        Schedule.parse(value)
    except ValueError as error:
        raise ValueError(f"{where}={value}: {error}") from error
    return value


def _detects(description: envs.EnvDescription) -> str:
    return f" It detects {', '.join(description.events)}." if description.events else " It detects none."
