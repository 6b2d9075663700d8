"""One list of every environment, and one factory.

A family (NetHack, and those to come) is a `Family`: it says which ids it has, describes them and builds vector
environments. Any
other gymnasium id is built as SB3 would.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any, Protocol

import gymnasium
from stable_baselines3.common.vec_env import DummyVecEnv, VecEnv

NAMESPACE = "breadcrumb/"


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


class Family(Protocol):
    """What a folder of environments offers to the catalogue."""

    def ids(self) -> Sequence[str]: ...
    def describe(self, env_id: str) -> EnvDescription: ...
    def make_vec(
        self,
        env_id: str,
        n_envs: int,
        *,
        seed: int,
        workers: int,
        report: Sequence[str],
        events: Sequence[str],
        split: str,
        **kwargs: Any,
    ) -> VecEnv: ...


# SB3 seeds its training environments with seed, seed + 1, ...: evaluation of plain gymnasium environments begins far
# beyond.
_EVALUATION_SEEDS = 2**30

_FAMILIES: dict[str, Family] = {}


def register_family(prefix: str, family: Family) -> None:
    """Let `family` answer for every id that starts with `prefix`."""
    _FAMILIES[prefix] = family


def env_ids() -> list[str]:
    """The ids of our own families, sorted; any other registered gymnasium id works as well."""
    return sorted(name for family in set(_FAMILIES.values()) for name in family.ids())


def _family(env_id: str) -> tuple[str, Family | None]:
    """The canonical id and its family, None for a plain gymnasium environment.

    Raises:
        ValueError: for an id that nobody knows, with the nearest ones.
    """
    known = env_ids()
    for candidate in (env_id, NAMESPACE + env_id):
        if candidate in known:
            family = next(family for prefix, family in _FAMILIES.items() if candidate.startswith(prefix))
            return candidate, family
    if env_id in gymnasium.registry:
        return env_id, None
    everything = [name.removeprefix(NAMESPACE) for name in known] + list(gymnasium.registry)
    nearest = get_close_matches(env_id.removeprefix(NAMESPACE), dict.fromkeys(everything), n=4, cutoff=0.4)
    raise ValueError(
        f"there is no environment {env_id!r}. Nearest: {', '.join(nearest) or 'none'}. `envs.env_ids()` lists ours."
    )


def describe(env_id: str) -> EnvDescription:
    """What the environment of this id is. Our ids may leave out "breadcrumb/".

    Raises:
        ValueError: for an unknown id, with the nearest ones.
    """
    name, family = _family(env_id)
    if family is not None:
        return family.describe(name)
    return EnvDescription(name, max_episode_steps=gymnasium.spec(name).max_episode_steps)


def rows_together(env_id: str, **kwargs: Any) -> int:
    """How many rows of a vector environment belong together: the cars of one arena, say; `n_envs` is a multiple of it.

    Args:
        env_id: one of `env_ids()`, or any gymnasium id.
        kwargs: of the environment, as for `make_vec`.
    """
    name, family = _family(env_id)
    together: Callable[..., int] | None = getattr(family, "rows_together", None)
    return 1 if together is None else together(name, **kwargs)


def make_vec(
    env_id: str,
    n_envs: int,
    *,
    seed: int = 0,
    workers: int = 0,
    report: Sequence[str] = (),
    events: Sequence[str] | None = None,
    split: str = "train",
    **kwargs: Any,
) -> VecEnv:
    """Build `n_envs` environments behind SB3's vector interface.

    Args:
        env_id: one of `env_ids()`, or any gymnasium id.
        n_envs: how many.
        seed: the run's seed; episode seeds are drawn from it.
        workers: how many more processes to spread them over; 0 for this one alone.
        report: info entries to report; `describe(env_id).reports` says which exist.
        events: names of the events to detect.
        split: "train" or "eval": episodes of the two never share a seed.
        kwargs: for the environment.

    Raises:
        ValueError: for an unknown id, entry or event, or an environment that cannot work here, with the reason.
    """
    description = describe(env_id)
    missing = sorted(set(report) - description.reports)
    if missing:
        able = ", ".join(sorted(description.reports)) or "nothing"
        raise ValueError(f"{description.id} cannot report {', '.join(missing)}; it reports {able}")
    name, family = _family(env_id)
    if family is not None:
        return family.make_vec(
            name,
            n_envs,
            seed=seed,
            workers=workers,
            report=tuple(report),
            events=tuple(events or ()),
            split=split,
            **kwargs,
        )
    if events:
        raise ValueError(f"{name} detects no events, so not {', '.join(events)}")
    return _plain(name, n_envs, seed=seed, workers=workers, split=split, **kwargs)


def _plain(env_id: str, n_envs: int, *, seed: int, workers: int, split: str, **kwargs: Any) -> VecEnv:
    from stable_baselines3.common.vec_env import SubprocVecEnv

    def build() -> gymnasium.Env[Any, Any]:
        return gymnasium.make(env_id, **kwargs)

    builders: list[Callable[[], gymnasium.Env[Any, Any]]] = [build for _ in range(n_envs)]
    venv: VecEnv = SubprocVecEnv(builders, start_method="spawn") if workers else DummyVecEnv(builders)
    venv.seed(seed % _EVALUATION_SEEDS + (_EVALUATION_SEEDS if split == "eval" else 0))
    return venv
