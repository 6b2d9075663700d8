"""One list of every environment, and one factory.

A family of environments (NetHack, Rocket, ...) is a `Family`: it says which ids it has, describes
them, brings their cards and builds them. It lies in this package as a file or a folder, and is
found there. Any gymnasium id is in a family, too: see `envs.plain`.
"""

from __future__ import annotations

import functools
import importlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from types import MappingProxyType
from typing import Any

import gymnasium
import numpy as np
from gymnasium.envs.registration import EnvSpec
from stable_baselines3.common.vec_env import VecEnv

from envs.arguments import keywords
from envs.controllers import Experts
from envs.episode_seeds import SPLITS
from envs.typing import Array
from foundation.checks import one_of, whole
from foundation.naming import nearest
from foundation.registry import Registry

NAMESPACE = "breadcrumb/"
MAX_WIDTH = 640
"""Pixels of a clip's pictures."""
_OF_GYMNASIUM = ("max_episode_steps", "disable_env_checker")  # arguments of gymnasium.make itself


@dataclass(frozen=True)
class EnvDescription:
    """What an environment is, without building it.

    Attributes:
        id: the canonical gymnasium id.
        reports: info entries it can be asked to report.
        events: the events it can detect, when "events" is among its reports.
        max_episode_steps: its own step limit, where known.
    """

    id: str
    reports: frozenset[str] = field(default_factory=frozenset)
    events: tuple[str, ...] = ()
    max_episode_steps: int | None = None

    def refuse(self, report: Sequence[str], events: Sequence[str]) -> None:
        """Raises ValueError for what it cannot report or detect, with what it can."""
        for what, wanted, known in (("report", report, sorted(self.reports)), ("detect", events, self.events)):
            for name in wanted:
                if name not in known:
                    able = f"It {what}s {', '.join(known) or 'nothing'}."
                    raise ValueError(f"{self.id} cannot {what} {name}.{nearest(name, known)} {able}")


@dataclass(frozen=True)
class Potential:
    """What the potential term reads by default: potential = scale · the reported `entry`."""

    entry: str
    scale: float = 1.0


@dataclass(frozen=True)
class Option:
    """An environment's card: what it is called on a command line, and what goes well with it.

    Attributes:
        name: what `env=` takes: "minihack/key_room".
        id: the gymnasium id; None where the user gives it.
        steps: environment steps of a run.
        kwargs: arguments of the environment.
        events: what the events term rewards.
        potential: what the potential term reads; None where nothing is usual.
        task: the task in words, for a language model.
        subgoals: text -> the event that is true exactly then, "" for none.
        statistics: are there figures worth logging at an episode's end (`info["stats"]`)?
        channels: all names that it may report in `info["reward_channels"]`.
    """

    name: str
    id: str | None
    steps: int = 100_000
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    events: tuple[str, ...] = ()
    potential: Potential | None = None
    task: str = ""
    subgoals: Mapping[str, str] = field(default_factory=dict)
    statistics: bool = False
    channels: tuple[str, ...] = ()


@dataclass(frozen=True)
class Request:
    """What is asked of a vector environment, whichever it is.

    Attributes:
        n_envs: rows.
        seed: the run's; episode seeds are drawn from it.
        split: "train" or "eval": episodes of the two never share a seed.
        workers: how many more processes to spread the rows over; 0 for this one alone.
        report: info entries to report; `describe(env_id).reports` says which exist.
        events: names of the events to detect.
        render_mode: as gymnasium has it, "rgb_array" or None mostly.
        alike: every row plays the same episodes, for whoever compares what was done in them.

    Raises:
        ValueError: numbers or a split that make no sense.
    """

    n_envs: int
    seed: int = 0
    split: str = "train"
    workers: int = 0
    report: tuple[str, ...] = ()
    events: tuple[str, ...] = ()
    render_mode: str | None = None
    alike: bool = False

    def __post_init__(self) -> None:
        whole("n_envs", self.n_envs)
        whole("workers", self.workers, least=0)
        one_of("split", self.split, SPLITS)


@dataclass(frozen=True)
class Recipe:
    """How a vector environment was made: for another process that makes the same again.

    Attributes:
        env_id: as it was given, with the module that registers it.
        request: what was asked of it.
        kwargs: of the environment.
        spec: gymnasium's, of an id that only the first process may know.
    """

    env_id: str
    request: Request
    kwargs: Mapping[str, Any]
    spec: EnvSpec | None = None

    def make(self, rows: int) -> VecEnv:
        """At least `rows` rows, in this process alone; more where rows belong together.

        Raises:
            ValueError: this process cannot make it; see `make_vec`.
        """
        if self.spec is not None and self.spec.id not in gymnasium.registry and ":" not in self.env_id:
            gymnasium.registry[self.spec.id] = self.spec
        together = rows_together(self.env_id, **self.kwargs)
        request = replace(self.request, n_envs=-(-rows // together) * together, workers=0)
        asked = {entry.name: getattr(request, entry.name) for entry in fields(request)}
        return make_vec(self.env_id, **asked, **self.kwargs)


_OF_REQUEST = frozenset(entry.name for entry in fields(Request)) - {"render_mode"}


class Family(ABC):
    """Environments that belong together. To add one: a class in envs/, registered in `registry`.

    Its constructor takes nothing. The ids and cards have to be there without building anything.
    """

    name: str
    place: int = 50
    """Where its cards stand in a list: families with a low number first, equal ones by name."""
    face_arguments: tuple[str, ...] = ("report", "events", "render_mode")
    """What its other faces take beside `arguments`."""

    @abstractmethod
    def ids(self) -> Sequence[str]:
        """The gymnasium ids that it brings."""

    @abstractmethod
    def options(self) -> Sequence[Option]:
        """Its cards, in the order in which a list shows them."""

    @abstractmethod
    def describe(self, env_id: str) -> EnvDescription:
        """What the environment of this id is, without building it."""

    @abstractmethod
    def register(self, env_id: str) -> None:
        """Register one of `ids()` with gymnasium: entry point, limit, wrappers."""

    @abstractmethod
    def make_vec(self, env_id: str, request: Request, **kwargs: Any) -> VecEnv:
        """See `envs.make_vec`. Reports, events and the names of `kwargs` have been checked."""

    def canonical(self, env_id: str) -> str | None:
        """The id as gymnasium has it, None where it is not this family's.

        "breadcrumb/" may be left out.
        """
        known = self.ids()
        return next((name for name in (env_id, NAMESPACE + env_id) if name in known), None)

    def arguments(self, env_id: str) -> frozenset[str] | None:
        """The keyword arguments that an environment may have, None where that cannot be known.

        Those of `make_vec`, unless a family says otherwise.
        """
        accepted = keywords(self.make_vec)
        return None if accepted is None else accepted - {"env_id", "request"}

    def rows_together(self, env_id: str, **kwargs: Any) -> int:
        """How many rows of the vector environment belong together; see `envs.rows_together`."""
        return 1

    def experts(self, env_id: str) -> Experts:
        """Who plays it well without training, the best first; none, unless a family has some."""
        return {}

    def faces(self, env_id: str) -> Mapping[str, Callable[..., Any]]:
        """What it can be beside a vector environment: name -> what makes it of keyword arguments.

        Names are "gymnasium", "parallel" and "aec" (PettingZoo's), "text".
        """
        return {"gymnasium": functools.partial(gymnasium.make, env_id)}

    def make(self, env_id: str, face: str = "gymnasium", **kwargs: Any) -> Any:
        """One environment; see `envs.make`."""
        faces = self.faces(env_id)
        if face not in faces:
            raise ValueError(f"{env_id} has no face {face!r}; it has {', '.join(faces)}.{nearest(face, faces, most=1)}")
        self.refuse(env_id, kwargs, (*self.face_arguments, *(_OF_GYMNASIUM if face == "gymnasium" else ())))
        return faces[face](**kwargs)

    def refuse(self, env_id: str, kwargs: Mapping[str, Any], also: Sequence[str] = ()) -> None:
        """Raises ValueError for an argument that the environment does not have."""
        accepted = self.arguments(env_id) if kwargs else None
        if accepted is None:
            return
        for argument in kwargs:
            if argument not in accepted and argument not in also:
                names = sorted(accepted)
                hint = nearest(argument, names) or f" It takes {', '.join(names) or 'none'}."
                raise ValueError(f"{env_id} has no argument {argument!r}.{hint}")

    def trim(self, frames: Sequence[Array]) -> list[Array]:
        """A clip's pictures (height, width, 3), made fit for one: at most `MAX_WIDTH` wide."""
        from PIL import Image

        height, width = frames[0].shape[:2]
        if width <= MAX_WIDTH:
            return list(frames)
        size = (MAX_WIDTH, round(height * MAX_WIDTH / width))
        return [np.asarray(Image.fromarray(frame).resize(size, Image.Resampling.LANCZOS)) for frame in frames]


registry: Registry[Family] = Registry("environment family", "envs")
_instances: dict[type[Family], Family] = {}


def families() -> tuple[Family, ...]:
    """Every family, in the order of its cards.

    The ids of one that is new are registered with gymnasium.
    """
    classes = [registry.get(name) for name in registry.names()]
    for cls in classes:
        if cls not in _instances:
            family = _instances[cls] = cls()
            for env_id in family.ids():
                family.register(env_id)
    return tuple(sorted((_instances[cls] for cls in classes), key=lambda family: (family.place, family.name)))


def options() -> Mapping[str, Option]:
    """Every card by its name, family by family.

    Raises:
        ValueError: two cards have one name.
    """
    cards: dict[str, Option] = {}
    for family in families():
        for card in family.options():
            if card.name in cards:
                raise ValueError(f"two environments are called {card.name!r}: {cards[card.name].id} and {card.id}")
            cards[card.name] = card
    return MappingProxyType(cards)


def env_ids() -> list[str]:
    """The ids of our own families, sorted; any other registered gymnasium id works as well."""
    return sorted(env_id for family in families() for env_id in family.ids())


def family_of(env_id: str) -> tuple[Family, str]:
    """The family of an environment, and its canonical id. Our ids may leave out "breadcrumb/".

    "module:ID" imports the module first, which registers the id, as `gymnasium.make` has it.

    Raises:
        ValueError: for an id that nobody knows, with the nearest ones, or a module that cannot be
            imported.
    """
    module, _, env_id = env_id.rpartition(":")
    if module:
        try:
            importlib.import_module(module)
        except ImportError as error:
            raise ValueError(
                f"env.id={module}:{env_id}: the module {module} cannot be imported ({error}). Python must find it: "
                "run from its folder, or add that to PYTHONPATH."
            ) from error
    for family in families():
        name = family.canonical(env_id)
        if name is not None:
            return family, name
    known = [name.removeprefix(NAMESPACE) for name in env_ids()] + list(gymnasium.registry)
    raise ValueError(
        f"there is no environment {env_id!r}.{nearest(env_id.removeprefix(NAMESPACE), known, most=4)} "
        "`envs.env_ids()` lists ours, `gymnasium.registry` all."
    )


def describe(env_id: str) -> EnvDescription:
    """What the environment of this id is.

    Raises:
        ValueError: for an unknown id, with the nearest ones.
    """
    family, name = family_of(env_id)
    return family.describe(name)


def refuse_arguments(env_id: str, kwargs: Mapping[str, Any]) -> None:
    """Raises ValueError for keyword arguments that the environment does not take."""
    family, name = family_of(env_id)
    for argument in kwargs:
        if argument in _OF_REQUEST:
            raise ValueError(f"{argument} is no argument of {name}: it is what the caller of make_vec asks for itself")
    family.refuse(name, kwargs, ("render_mode",))


def rows_together(env_id: str, **kwargs: Any) -> int:
    """How many rows of a vector environment belong together: the cars of one arena, say.

    `n_envs` is a multiple of it.

    Args:
        env_id: one of `env_ids()`, or any gymnasium id.
        kwargs: of the environment, as for `make_vec`.

    Raises:
        ValueError: for an unknown id or argument.
    """
    refuse_arguments(env_id, kwargs)
    kwargs.pop("render_mode", None)
    family, name = family_of(env_id)
    return family.rows_together(name, **kwargs)


def experts(env_id: str) -> Experts:
    """Who plays an environment well without training: name -> what makes an expert for a `VecEnv`.

    >>> list(experts("PointMass-v0"))
    ['brake']

    Raises:
        ValueError: for an unknown id.
    """
    family, name = family_of(env_id)
    return family.experts(name)


def trim(env_id: str, frames: Sequence[Array]) -> list[Array]:
    """The pictures (height, width, 3) of a clip, cut or scaled to a size fit for one."""
    family, _ = family_of(env_id)
    return family.trim(frames)


def make(env_id: str, face: str = "gymnasium", **kwargs: Any) -> Any:
    """Build one environment behind another interface than a vector environment's.

    >>> env = make("CaptionQuest-v0", dummy=True)
    >>> env.observation_space.shape
    (17,)

    Args:
        env_id: one of `env_ids()`, or any gymnasium id.
        face: "gymnasium", "parallel" or "aec" (PettingZoo's), "text"; most have only the first.
        kwargs: of the environment.

    Raises:
        ValueError: an unknown id or argument, or a face that it does not have.
    """
    family, name = family_of(env_id)
    return family.make(name, face, **kwargs)


def make_vec(
    env_id: str,
    n_envs: int,
    *,
    seed: int = 0,
    workers: int = 0,
    report: Sequence[str] = (),
    events: Sequence[str] | None = None,
    split: str = "train",
    render_mode: str | None = None,
    alike: bool = False,
    **kwargs: Any,
) -> VecEnv:
    """Build `n_envs` environments behind SB3's vector interface.

    Args:
        env_id: one of `env_ids()`, or any gymnasium id.
        n_envs, seed, workers, report, events, split, render_mode, alike: see `Request`.
        kwargs: for the environment.

    Raises:
        ValueError: for an unknown id, entry, event or argument, or an environment that cannot work
            here, with the reason. What else an environment's constructor raises is its own.
    """
    given = env_id
    family, name = family_of(env_id)
    request = Request(n_envs, seed, split, workers, tuple(report), tuple(events or ()), render_mode, alike)
    family.describe(name).refuse(request.report, request.events)
    family.refuse(name, kwargs)
    venv = family.make_vec(name, request, **kwargs)
    venv.env_id = name  # type: ignore[attr-defined]  # for `foundation.demonstrations.environment_of`
    venv.recipe = Recipe(given, request, kwargs, gymnasium.registry.get(name))  # type: ignore[attr-defined]
    return venv
