"""Demonstrations recorded as a command line asks: of runs, of scripted experts, of files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import envs
from foundation.checks import number, whole
from foundation.demonstrations import Demonstrations
from foundation.files import folder_for
from foundation.naming import unknown
from scripts.configuration.arguments import parse
from scripts.configuration.command_line import parse_override
from scripts.demonstrations.files_of_others import is_readable, read
from scripts.demonstrations.playing import SCRIPTED, play_expert, play_run

_KWARGS = "env.kwargs."


@dataclass(frozen=True)
class Arguments:
    """The command line's arguments."""

    out: str = ""
    env: str = ""
    episodes: int = 10
    n_envs: int = 8
    seed: int = 0
    deterministic: bool = True
    least_return: float | None = None
    subsample: int = 1
    trust: bool = False


def record_as_told(command_line: Sequence[str], usage: str | None = None) -> str:
    """Record what a command line asks for into its out=; what was recorded, in words.

    Args:
        command_line: see scripts.record_demonstrations.
        usage: what --help prints.

    Raises:
        ValueError: see `record`.
    """
    words, arguments = parse(command_line, Arguments, usage)
    sources = [word for word in words if not word.startswith(_KWARGS)]
    given = dict(kwarg(word) for word in words if word.startswith(_KWARGS))
    if len(sources) != 1:
        raise ValueError(
            f"expected one source, got {' '.join(sources) or 'none'}: a run directory, or scripted env=ENV"
        )
    demonstrations = record(sources[0], arguments, given)
    demonstrations.save(arguments.out)
    return describe(demonstrations, arguments.out)


def record(source: str, arguments: Arguments, env_kwargs: dict[str, Any]) -> Demonstrations:
    """The demonstrations that the command line asks for; see scripts.record_demonstrations.

    Raises:
        ValueError: with the argument that is wrong; before anything is played, but for what only
            the episodes show.
    """
    for name, value in (("episodes", arguments.episodes), ("n_envs", arguments.n_envs)):
        whole(name, value)
    whole("subsample", arguments.subsample)
    whole("seed", arguments.seed, least=0)
    if arguments.least_return is not None:
        number("least_return", arguments.least_return)
    out = Path(arguments.out)
    if out.suffix != ".npz":
        raise ValueError(f"out={arguments.out}: a file of demonstrations ends in .npz")
    folder_for(out.parent, (out.name,))
    played = _play(source, arguments, env_kwargs)
    if arguments.least_return is not None:
        chosen = np.flatnonzero(played.returns >= arguments.least_return).tolist()
        if not chosen:
            raise ValueError(
                f"no episode pays {arguments.least_return:g}; the best of {len(played.returns)} paid "
                f"{played.returns.max():g}. Play more (episodes=), or ask for less."
            )
        played = played.select(chosen)
    return played.subsample(arguments.subsample, np.random.default_rng([arguments.seed, 1]))


def describe(demonstrations: Demonstrations, path: str) -> str:
    """What a file holds, in a few lines for a terminal."""
    header, returns, lengths = demonstrations.header, demonstrations.returns, demonstrations.lengths
    lines = [
        f"{path}: {len(returns)} episodes of {header.env_id}, {len(demonstrations)} steps, by {header.source}",
        f"  return  mean {returns.mean():.3f}   {returns.min():.3f} to {returns.max():.3f}",
        f"  length  mean {lengths.mean():.1f}   {lengths.min()} to {lengths.max()}",
        f"  ended   {int(demonstrations.ended.sum())} by termination",
    ]
    if header.subsampled > 1:
        lines.append(f"  kept    1 step of {header.subsampled}")
    return "\n".join(lines)


def _play(source: str, arguments: Arguments, env_kwargs: dict[str, Any]) -> Demonstrations:
    kind, _, name = source.partition(":")
    path = Path(source)
    if kind == SCRIPTED:
        if not arguments.env:
            raise ValueError("a scripted expert needs an environment: give env=")
        env_id, kwargs = _environment(arguments.env, env_kwargs)
        return play_expert(name, env_id, kwargs, arguments.episodes, n_envs=arguments.n_envs, seed=arguments.seed)
    if not path.exists():
        raise ValueError(f"{source} is no run directory, no file of demonstrations, and not {SCRIPTED}[:NAME]")
    if is_readable(path):
        env_id, kwargs = _environment(arguments.env, env_kwargs) if arguments.env else ("", env_kwargs)
        return _read(path, env_id, kwargs)
    if arguments.env or env_kwargs:
        raise ValueError("a run brings its own environment: leave env= and env.kwargs out")
    return play_run(
        path,
        arguments.episodes,
        n_envs=arguments.n_envs,
        seed=arguments.seed,
        deterministic=arguments.deterministic,
        trust=arguments.trust,
    )


def _read(path: Path, env_id: str, env_kwargs: dict[str, Any]) -> Demonstrations:
    """Of a file; ours has a header."""
    if path.suffix == ".npz":
        with np.load(path, allow_pickle=False) as file:
            ours = "header" in file.files
        if ours:
            return Demonstrations.load(path)
    return read(path, env_id, env_kwargs)


def _environment(name: str, env_kwargs: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Id and arguments of a card or a gymnasium id.

    Raises:
        ValueError: neither, with the nearest cards, or an argument that it does not take.
    """
    cards = envs.options()
    if name in cards and cards[name].id is not None:
        env_id, kwargs = str(cards[name].id), {**cards[name].kwargs, **env_kwargs}
    else:
        env_id, kwargs = name, dict(env_kwargs)
        try:
            envs.describe(env_id)
        except ValueError as error:
            raise unknown("environment", name, cards) from error
    envs.refuse_arguments(env_id, kwargs)
    return env_id, kwargs


def kwarg(word: str) -> tuple[str, Any]:
    """Name and value, as scripts.train reads them."""
    if "=" not in word or word.startswith(f"{_KWARGS}="):
        raise ValueError(f"{word}: expected {_KWARGS}NAME=VALUE")
    override = parse_override(word)
    return override.key_or_group.removeprefix(_KWARGS), override.value()
