"""An experiment is an environment × reward terms × an agent.

`assemble` opens a configuration and refuses what cannot work; an `Experiment` makes the rest.
"""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.vec_env import VecEnv, VecMonitor

import agents
import envs
from agents import Agent, AgentConfig, ShapingCallback
from agents.device import resolve_device
from foundation.checks import number, one_of, whole
from foundation.naming import nearest
from scripts.configuration.groups import RunConfig
from scripts.configuration.store import settings
from scripts.configuration.terms import EVERY_TERM
from scripts.running.worker_choice import AUTO, RAY, actors_of, plays_elsewhere, workers_that_pay
from shaping import Schedule, ShapedVecEnv, combine, episodes, transforms
from shaping.combine import Combiner
from shaping.episodes import EpisodeTransform
from shaping.llm import LanguageModel
from shaping.parts import TASK
from shaping.terms import RewardTerm
from shaping.terms import registry as terms
from shaping.transforms import Transform

MOST_THREADS = 8  # a core; thousands end the process without a word
MOST_ENVIRONMENTS = 65_536
_OWN_THREADS = torch.get_num_threads()  # before any agent changes it: a sweep builds several in one process


@dataclass(frozen=True)
class Reward:
    """The parts of a run's reward, built and not yet bound to an environment.

    Attributes:
        terms: by name.
        combiner: of all signals.
        transforms: signal -> what is applied to it, in order.
        episode: the transform of whole episodes, if there is one.
        report: info entries that the parts need.
        events: events that they need detected.
    """

    terms: Mapping[str, RewardTerm]
    combiner: Combiner
    transforms: Mapping[str, Sequence[Transform]]
    episode: EpisodeTransform | None
    report: tuple[str, ...]
    events: tuple[str, ...]


class Experiment:
    """A run's configuration, opened: it is checked, and environments and agents are made of it.

    Made by `assemble`. The parts of the reward that were built to check them are those of the first
    environment; every further one has parts of its own.
    """

    def __init__(self, config: RunConfig, choices: Mapping[str, str]) -> None:
        self.agent: Agent = agents.get(choices["agent"])
        self.settings: AgentConfig = agents.configured(choices["agent"], config.agent)
        self.n_envs: int = self.settings.n_envs if config.n_envs is None else config.n_envs
        self.config, self.choices = replace(config, n_envs=self.n_envs), choices
        _check_run(self.config, self.n_envs)
        _check_workers(self.config, self.agent, self.n_envs)
        envs.refuse_arguments(config.env.id, config.env.kwargs)
        resolve_device(self.settings.device)
        self._reward: Reward | None = build_reward(config)
        self._chosen_workers: int | None = None

    def build_env(
        self,
        *,
        split: str = "train",
        n_envs: int | None = None,
        workers: int | None = None,
        seed: int | None = None,
        render_mode: str | None = None,
        publishing_only: bool = False,
        alike: bool = False,
    ) -> ShapedVecEnv:
        """The stack that the agent acts in: environments, VecMonitor, ShapedVecEnv.

        Args:
            split: "train" or "eval".
            n_envs, workers, seed: where other than the configuration's. Where rows belong together,
                there are as many as make them whole.
            render_mode: "rgb_array" to make `get_images` work.
            publishing_only: leave out parts of the reward that an agent at play does not see.
            alike: all rows play the same episodes, as where an agent trains that wants it so.

        Raises:
            ValueError: a combination that cannot work, with the reason.
        """
        config, reward = self.config, self._reward or build_reward(self.config)
        self._reward = None
        seed = config.seed if seed is None else seed
        arguments = dict(config.env.kwargs)
        if render_mode is not None:
            arguments["render_mode"] = render_mode
        rows = self.n_envs if n_envs is None else n_envs
        if n_envs is not None:
            together = envs.rows_together(config.env.id, **config.env.kwargs)
            rows = -(-n_envs // together) * together  # whole arenas

        known = envs.describe(config.env.id).reports
        wished = [name for name in self.agent.reports(self.settings) if name in known and name not in reward.report]

        def make(workers: int) -> VecEnv:
            return envs.make_vec(
                config.env.id,
                rows,
                seed=seed,
                workers=workers,
                report=(*reward.report, *wished),
                events=reward.events or None,
                split=split,
                alike=alike or (self.agent.whole_episodes and split == "train"),
                **arguments,
            )

        venv = make(self._workers(make, rows) if workers is None else workers)
        try:
            return ShapedVecEnv(
                VecMonitor(venv),
                reward.terms,
                combiner=reward.combiner,
                transforms=reward.transforms,
                episode=reward.episode,
                gamma=self.settings.gamma,
                seed=seed,
                bootstraps=self.settings.bootstraps,
                folder=None if config.run_dir is None else Path(config.run_dir) / "terms",
                publishing_only=publishing_only,
            )
        except Exception:
            venv.close()
            raise

    def make_agent(self, env: ShapedVecEnv) -> BaseAlgorithm:
        """The agent's model in `env`, new.

        Raises:
            ValueError: an agent that cannot act there, with the reason.
        """
        self.agent.refuse(env, self.settings)
        model = self.agent.make(env, self.settings, seed=self.config.seed, threads=self._threads)
        self.shaping_callback(model, env).prepare(model)
        self._send_away(model)
        return model

    def load_agent(self, folder: Path, env: ShapedVecEnv | None = None, *, trust: bool = False) -> BaseAlgorithm:
        """The agent's model from a checkpoint's folder, to go on in `env`; None: to play only."""
        model = self.agent.load(folder, env, self.settings, threads=self._threads, trust=trust)
        if env is not None:
            self._send_away(model)
        return model

    def shaping_callback(self, model: BaseAlgorithm, env: ShapedVecEnv) -> ShapingCallback:
        """What lets the parts of the reward learn and writes pay that has changed."""
        return ShapingCallback(env, self.agent.stored_rewards(model), self.agent.learner(model))

    def _send_away(self, model: BaseAlgorithm) -> None:
        """`workers=ray`: its episodes are played elsewhere."""
        if plays_elsewhere(self.config.workers):
            self.agent.play_elsewhere(model, actors_of(self.config.workers))

    def _workers(self, make: Callable[[int], VecEnv], rows: int) -> int:
        """`workers`; "auto" is tried out once, and beside actors elsewhere there are none."""
        if plays_elsewhere(self.config.workers):
            return 0
        if self.config.workers != AUTO:
            return int(self.config.workers)
        if self._chosen_workers is None:
            self._chosen_workers, told = workers_that_pay(make, rows)
            print(told, flush=True)
        return self._chosen_workers

    @property
    def _threads(self) -> int:
        """Threads to learn with: `torch_threads`, or as many as torch takes by itself."""
        return _OWN_THREADS if self.config.torch_threads is None else self.config.torch_threads


def assemble(config: RunConfig, choices: Mapping[str, str]) -> Experiment:
    """Open a configuration. Refuses, without building any environment, what can be known to fail.

    Args:
        config: of the run.
        choices: the option of every group.

    Raises:
        ValueError: with the setting that is wrong, what it must be, and what to do.
    """
    return Experiment(config, choices)


def _check_run(config: RunConfig, n_envs: int) -> None:
    for name in ("n_envs", "checkpoint_every", "keep_checkpoints", "total_timesteps", "torch_threads"):
        value = getattr(config, name)
        if value is not None:
            whole(name, value)
    for name in ("seed", "evaluate_episodes"):
        whole(name, getattr(config, name), least=0)
    if config.trust:
        raise ValueError("trust=true is for runs that there are already: give it with resume=RUN, or leave it out.")
    if config.stop_at_success is not None:
        number("stop_at_success", config.stop_at_success, above=0, most=1)
    cores = os.cpu_count() or 1
    if config.torch_threads is not None and config.torch_threads > MOST_THREADS * cores:
        raise ValueError(f"torch_threads={config.torch_threads} is too many for {cores} cores; give {cores} or less.")
    if n_envs > MOST_ENVIRONMENTS:
        raise ValueError(f"n_envs={n_envs} is too many for one machine; give at most {MOST_ENVIRONMENTS}.")
    if config.run_dir is not None and not config.run_dir.strip():
        raise ValueError("run_dir is empty (an unset variable of the shell?): give a folder, or leave run_dir out.")
    if config.seed >= 2**32:
        raise ValueError(f"seed={config.seed} is too large; it must be below 2**32, numpy's limit.")
    whole("env.total_timesteps", config.env.total_timesteps)


def _check_workers(config: RunConfig, agent: Agent, n_envs: int) -> None:
    if plays_elsewhere(config.workers):
        actors_of(config.workers)
        if not agent.whole_episodes:
            raise ValueError(
                f"workers={config.workers} plays whole episodes elsewhere, and {agent.name} steps them here; "
                "use workers=N."
            )
        paid = [*config.shaping.terms, *config.shaping.task_transforms]
        if paid or config.shaping.episode.name is not None:
            raise ValueError(
                f"workers={config.workers} plays whole episodes elsewhere, where only the task's own reward is known: "
                "give shaping=none and neither transforms of the task's reward nor an episode transform, or workers=N."
            )
    elif isinstance(config.workers, str):
        one_of("workers", config.workers, (AUTO, RAY))
    elif whole("workers", config.workers, least=0) > n_envs:
        raise ValueError(f"workers={config.workers} are more than n_envs={n_envs}; every worker needs an environment.")


# The reward ---------------------------------------------------------------------------------------


def build_reward(config: RunConfig) -> Reward:
    """The parts of the reward; what they need is matched with what the environment reports.

    Raises:
        ValueError: a bad argument, weight or schedule, or a need that the environment cannot meet.
    """
    description = envs.describe(config.env.id)
    built: dict[str, RewardTerm] = {}
    weights: dict[str, float | str] = {TASK: _weight("shaping.task_weight", config.shaping.task_weight)}
    chains = {TASK: _transforms("shaping.task_transforms", config.shaping.task_transforms)}
    for name, given in config.shaping.terms.items():
        if given is None:
            raise ValueError(f"shaping.terms.{name}=null: leave the term out of shaping=[...] instead.")
        arguments = {**EVERY_TERM, **settings(given)}
        shared = {option: arguments.pop(option) for option in EVERY_TERM}
        where = f"shaping.terms.{name}"
        built[name] = _term(name, arguments, config, description)
        weights[name] = _weight(f"{where}.weight", shared["weight"])
        for channel, weight in shared["channels"].items():
            if channel not in built[name].channels:
                raise ValueError(
                    f"{where}.channels names {channel!r}; its channels are {', '.join(built[name].channels) or 'none'}."
                )
            weights[f"{name}/{channel}"] = _weight(f"{where}.channels.{channel}", weight)
        chain = _transforms(f"{where}.transforms", shared["transforms"])
        if shared["normalise"]:
            chain.append(transforms.RunningNormalise(scale_only=True))  # a subtracted mean changes the best policy
        if shared["clip"] is not None:
            bound = number(f"{where}.clip", shared["clip"], above=0)
            chain.append(transforms.Clip(-bound, bound))
        for signal in built[name].signals:
            chains[signal] = chain if len(built[name].signals) == 1 else [*_copies(chain)]
    signals = [TASK, *(signal for term in built.values() for signal in term.signals)]
    episode = _episode(config)
    withheld = _withheld(config, [*signals, *built]) if episode is not None else ()
    combiner = _combiner(config, weights, withheld)
    _refuse_changed_twice(built, chains)
    parts = [*built.values(), combiner, *(part for chain in chains.values() for part in chain)]
    parts += [] if episode is None else [episode]
    report = {entry for part in parts for entry in part.requires}
    if config.env.statistics:
        if "stats" not in description.reports:
            raise ValueError(f"env.statistics=true: {description.id} keeps no statistics of its episodes; give false.")
        report.add("stats")
    _refuse_unreported(report, description, "shaping")
    return Reward(built, combiner, chains, episode, tuple(sorted(report)), _events(built, description))


def _term(name: str, arguments: dict[str, Any], config: RunConfig, description: envs.EnvDescription) -> RewardTerm:
    kind = terms.get(name)
    _refuse_unreported(kind.requires, description, f"shaping={name}")
    if "language_model" in terms.arguments(name):
        arguments["language_model"] = LanguageModel(**settings(config.llm))
    try:
        term = terms.make(name, **arguments)
        if config.run_dir is not None:
            term.take_up(Path(config.run_dir) / "terms" / name)
    except ValueError as error:
        hinted = str(error).endswith("?")
        able = f".{_detects(description)}" if "events" in kind.requires and not hinted else ""
        raise ValueError(f"shaping.terms.{name}: {error}{able}") from error
    term.name = name
    _refuse_unreported(term.requires, description, f"shaping={name}")
    return term


def _refuse_unreported(needed: Any, description: envs.EnvDescription, who: str) -> None:
    missing = sorted(set(needed) - description.reports)
    if missing:
        able = ", ".join(sorted(description.reports)) or "nothing"
        raise ValueError(
            f"{who} needs the environment to report {', '.join(missing)}, and {description.id} reports {able}. "
            "Choose another term or another environment."
        )


def _events(built: Mapping[str, RewardTerm], description: envs.EnvDescription) -> tuple[str, ...]:
    """The events that terms want detected, each once."""
    events: dict[str, None] = {}
    for name, term in built.items():
        if "events" not in term.requires:
            continue
        for event in term.event_names or description.events:
            if event not in description.events:
                raise ValueError(
                    f"shaping.terms.{name} names the event {event!r}, which {description.id} cannot detect."
                    f"{nearest(event, description.events)}{_detects(description)}"
                )
            events[event] = None
    return tuple(events)


def _detects(description: envs.EnvDescription) -> str:
    return f" It detects {', '.join(description.events)}." if description.events else " It detects none."


def _transforms(where: str, given: Sequence[Any]) -> list[Transform]:
    """Transforms from names, or from mappings of a name and arguments."""
    chain = []
    for entry in given:
        arguments = {"name": entry} if isinstance(entry, str) else dict(entry) if isinstance(entry, Mapping) else {}
        name = arguments.pop("name", None)
        if not isinstance(name, str):
            raise ValueError(
                f"{where}: {entry!r} is no transform; give a name ({', '.join(transforms.registry.names())}), or "
                "{name: NAME, ARGUMENT: VALUE}"
            )
        try:
            chain.append(transforms.registry.make(name, **arguments))
        except ValueError as error:
            raise ValueError(f"{where}: {error}") from error
    return chain


def _copies(chain: Sequence[Transform]) -> list[Transform]:
    return [copy.deepcopy(transform) for transform in chain]


def _episode(config: RunConfig) -> EpisodeTransform | None:
    episode = config.shaping.episode
    if episode.name is None:
        if episode.arguments or episode.withheld is not None:
            raise ValueError(
                "shaping.episode.arguments and .withheld belong to an episode transform, and shaping.episode.name is "
                f"null. Give the name: {', '.join(episodes.registry.names())}."
            )
        return None
    try:
        return episodes.registry.make(episode.name, **episode.arguments)
    except ValueError as error:
        raise ValueError(f"shaping.episode: {error}") from error


def _withheld(config: RunConfig, signals: Sequence[str]) -> tuple[str, ...]:
    """The signals that the episode transform decides about: those named, or every term's."""
    chosen = config.shaping.episode.withheld
    if chosen is None:
        return tuple(config.shaping.terms)
    for signal in chosen:
        if signal not in signals:
            raise ValueError(f"shaping.episode.withheld names {signal!r}; signals here are {', '.join(signals)}.")
    return tuple(chosen)


def _combiner(config: RunConfig, weights: Mapping[str, float | str], withheld: tuple[str, ...]) -> Combiner:
    """The combiner by its name; weights and withheld signals, where it takes them, else refused."""
    chosen = config.shaping.combiner
    known = combine.registry.arguments(chosen.name)
    arguments = dict(chosen.arguments)
    weighted = {signal: weight for signal, weight in weights.items() if weight != 1.0}
    for name, value, meant in (("weights", weights, weighted), ("withheld", withheld, withheld)):
        if name in known and name not in arguments:
            arguments[name] = value
        elif meant and name not in known:
            raise ValueError(
                f"shaping.combiner.name={chosen.name} knows no {name}, so {', '.join(meant)} cannot have one."
            )
    try:
        return combine.registry.make(chosen.name, **arguments)
    except ValueError as error:
        raise ValueError(f"shaping.combiner: {error}") from error


def _refuse_changed_twice(built: Mapping[str, RewardTerm], chains: Mapping[str, Sequence[Transform]]) -> None:
    for name, term in built.items():
        if term.relabels and any(chains[signal] for signal in term.signals):
            raise ValueError(
                f"shaping.terms.{name}.relabel=true changes rewards after the fact, too late for transforms: "
                f"give neither shaping.terms.{name}.normalise, .clip nor .transforms, or relabel=false."
            )


def _weight(where: str, value: float | str) -> float | str:
    try:
        Schedule.parse(value)
    except ValueError as error:
        raise ValueError(f"{where}={value}: {error}") from error
    return value


__all__ = ["Experiment", "Reward", "assemble", "build_reward"]
