"""Reads the command line before Hydra does: a slip of the pen is one sentence, nothing is built.

Also makes three things easier to write than Hydra's grammar has them: a schedule needs no quotes,
open dictionaries (env.kwargs.x=1) need no plus sign, and `shaping=` takes a name or a list.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from hydra import compose, initialize
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Glob, Override
from hydra.errors import HydraException, OverrideParseException
from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import MissingMandatoryValue, OmegaConfBaseException, ValidationError

from foundation.naming import nearest
from scripts.configuration.groups import GROUPS, RunConfig
from scripts.configuration.store import choices, from_container, options, to_container

_OPEN = re.compile(
    r"(env\.(kwargs|subgoals)|agent\.(policy_kwargs|net_arch)|shaping\.(combiner|episode)\.arguments|shaping\.terms\.\w+\.\w+)"
    r"(\.|$)"
)
"""Settings that may be dictionaries of anything."""
Check = Callable[[RunConfig, Mapping[str, str]], object]
"""(configuration, choices) -> anything; raises ValueError for what cannot work."""

_SCHEDULE = re.compile(r"(?<!['\"\w])((?:linear|exponential|piecewise)\([^()'\"]*\))")
_FOREIGN = re.compile(r"(?:\$\{[^{}]*\}|[^,\[\]{}()=:])*[^\x00-\x7f](?:\$\{[^{}]*\}|[^,\[\]{}()=:])*")
"""A value, or a list's entry, with letters that Hydra's grammar takes in quotes alone."""
BESIDE_RESUME = ("resume", "total_timesteps", "trust")
_MOST_COMBINATIONS = 500  # of a sweep that are checked before it starts


class CommandLineError(ValueError):
    """What is wrong with the command line, in one sentence or two."""


def prepare(overrides: Sequence[str]) -> list[str]:
    """The overrides as Hydra's grammar wants them."""
    prepared = []
    for text in overrides:
        key, equals, value = text.partition("=")
        if equals:
            value = _SCHEDULE.sub(r"'\1'", value)
            if not value.isascii() and "'" not in value and '"' not in value:
                value = _FOREIGN.sub(r"'\g<0>'", value)
            entry = _OPEN.match(key)
            if entry and (entry[0].endswith(".") or value.startswith("{")):
                key = "++" + key
        prepared.append(key + equals + value)
    return prepared


def check_command_line(overrides: Sequence[str], *, sweep: bool, check: Check) -> None:
    """Refuse what cannot work: every combination of a sweep is looked at.

    Args:
        overrides: from `prepare`.
        sweep: with -m, where commas separate alternatives.
        check: asked about every combination.

    Raises:
        CommandLineError: the first thing that is wrong.
    """
    parsed = [parse_override(text) for text in overrides]
    for override in parsed:
        _check_name(override)
        if override.is_sweep_override() and not sweep:
            raise CommandLineError(
                f"{override.input_line} holds several values. Add -m to run each of them in turn, "
                "or write a list in brackets: [a,b]."
            )
    resume = [override for override in parsed if override.key_or_group == "resume"]
    if resume and resume[0].value() is not None:
        others = [str(o.input_line) for o in parsed if o.key_or_group not in BESIDE_RESUME and not _hydras(o)]
        if others:
            raise CommandLineError(
                f"resume takes everything from the run's own config.yaml, so {', '.join(others)} cannot be given. "
                "Only total_timesteps and trust can; for other settings start a new run."
            )
    places: list[str] = []
    checked = 0
    for combination in itertools.islice(_combinations(parsed), _MOST_COMBINATIONS):
        run_dir = _check_combination(combination, None if resume else check)
        checked += 1
        if run_dir is not None and run_dir in places:
            raise CommandLineError(
                f"Every run of this sweep would go to run_dir={run_dir}. Leave run_dir out, or let it differ: "
                "run_dir=runs/trial-${seed}."
            )
        places += [] if run_dir is None else [run_dir]
    if not checked:
        raise CommandLineError("This sweep has no combination to run: one of its lists is empty.")


def parse_override(text: str) -> Override:
    """One `name=value`, as Hydra reads it.

    Raises:
        CommandLineError: it cannot be read; says how settings are written.
    """
    try:
        return OverridesParser.create().parse_override(text)
    except (OverrideParseException, HydraException) as error:
        reason = str(error).strip().split("\n")[0]
        raise CommandLineError(
            f"{text} cannot be read ({reason}). Settings are written name=value; quote a value with spaces or brackets."
        ) from error


def _hydras(override: Override) -> bool:
    return override.key_or_group.partition(".")[0].partition("/")[0] == "hydra"


def _check_name(override: Override) -> None:
    key = override.key_or_group
    if key in GROUPS or _hydras(override):
        if key in GROUPS and override.is_delete():
            raise CommandLineError(
                f"~{key}: the group {key} cannot be left out. For shaping and tracking there is `none`."
            )
        for value in _values(override) if key in GROUPS else ():
            options_given = value if isinstance(value, list) and key == "shaping" else [value]
            for option in options_given:
                _check_option(key, str(option))
            _check_together([str(option) for option in options_given])
        return
    top = key.partition(".")[0]
    names = list(OmegaConf.structured(RunConfig))
    if top not in names:
        raise CommandLineError(f"There is no setting {top!r}.{nearest(top, names)} See --help.")


def _check_together(chosen: Sequence[str]) -> None:
    """May these options of the group shaping stand in one list?"""
    for option in chosen:
        if chosen.count(option) > 1:
            raise CommandLineError(f"shaping=[{','.join(chosen)}] names {option} more than once.")
        if option == "none" and len(chosen) > 1:
            raise CommandLineError(f"shaping=[{','.join(chosen)}]: none is no term; leave it out beside others.")


def _check_option(group: str, option: str) -> None:
    known = options(group)
    if option in known:
        return
    hint = nearest(option, known) or nearest(option, [name.rpartition("/")[2] for name in known])
    more = " Any gymnasium id works as env=custom env.id=NAME." if group == "env" else ""
    raise CommandLineError(f"There is no {group}={option}.{hint}{more} `--help` lists all options.")


def _values(override: Override) -> list[Any]:
    if override.is_sweep_override():
        if not override.is_discrete_sweep():
            return []
        return [_plain(value) for value in _alternatives(override)]
    return [override.value()]


def _alternatives(override: Override) -> list[Any]:
    """What a sweep's override goes through; glob(...) is of a group's options."""
    chosen: Any = override.value()
    if isinstance(chosen, Glob):
        if override.key_or_group not in GROUPS:
            raise CommandLineError(f"{override.input_line}: glob(...) chooses among options of {', '.join(GROUPS)}.")
        return chosen.filter(list(options(override.key_or_group)))
    return list(override.sweep_string_iterator())


def _plain(value: Any) -> Any:
    """A sweep's element: a list such as [events,rnd] comes as text."""
    if isinstance(value, str) and value.startswith("[") and value.endswith("]"):
        return [part.strip() for part in value[1:-1].split(",") if part.strip()]
    return value


def _combinations(parsed: Sequence[Override]) -> Iterator[list[str]]:
    alternatives: list[list[str]] = []
    for override in parsed:
        if override.is_sweep_override():
            if not override.is_discrete_sweep():
                continue  # an interval: its values are known only while it runs
            key = override.get_key_element()
            alternatives.append([f"{key}={value}" for value in _alternatives(override)])
        else:
            assert override.input_line is not None
            alternatives.append([override.input_line])
    yield from (list(chosen) for chosen in itertools.product(*alternatives))


def _check_combination(overrides: list[str], check: Check | None) -> str | None:
    """Refuse what cannot work. Returns the run directory that it names."""
    groups = [text for text in overrides if text.lstrip("+~").partition("=")[0] in GROUPS]
    settings = [text for text in overrides if text not in groups and not text.lstrip("+~").startswith("hydra")]
    GlobalHydra.instance().clear()
    try:
        with initialize(config_path=None, version_base="1.3"):
            base = compose("train", overrides=groups)
            for text in settings:
                _check_setting(base, parse_override(text))
            composed = compose("train", overrides=[*groups, *settings], return_hydra_config=True)
        if check is not None:
            HydraConfig.instance().set_config(composed)  # for values such as ${hydra:runtime.choices.shaping}
            chosen = composed.hydra.runtime.choices
            config = from_container(to_container(OmegaConf.masked_copy(composed, list(RunConfig.__dataclass_fields__))))
            check(config, choices(config, chosen))
            return config.run_dir
    except MissingMandatoryValue as error:
        missing = str(error).split("\n")[0].removeprefix("Structured config of type ")
        key = next((line.split(":", 1)[1].strip() for line in str(error).split("\n") if "full_key" in line), missing)
        raise CommandLineError(f"{key} has no value, and it needs one: add {key}=...") from error
    except (HydraException, OmegaConfBaseException) as error:
        cause = error.__cause__ or error
        raise CommandLineError(str(cause).split("\n")[0]) from error
    except ValueError as error:
        raise CommandLineError(str(error)) from error
    finally:
        GlobalHydra.instance().clear()
        HydraConfig.instance().cfg = None
    return None


def _check_setting(config: DictConfig, override: Override) -> None:
    """Is there such a setting, and has the value the right type?"""
    key = override.key_or_group
    parts = key.split(".")
    node: Any = config
    for depth, part in enumerate(parts):
        here = ".".join(parts[:depth])
        if override.is_add() or override.is_force_add():
            return
        if isinstance(node, ListConfig) and part.isdigit():
            node = node[int(part)]
            continue
        if not isinstance(node, DictConfig):
            raise CommandLineError(f"{key}: {here} is a single value, so it has no {part!r}.")
        if part not in node and not OmegaConf.is_missing(node, part):
            names = [str(name) for name in node]
            where = f"{here} has no {part!r}" if here else f"there is no setting {part!r}"
            if here == "shaping.terms":
                chosen = ", ".join(names) or "none"
                raise CommandLineError(
                    f"{key}: the reward term {part!r} is not in this run (terms: {chosen})."
                    f"{nearest(part, names)} Add it with shaping=[...]."
                )
            raise CommandLineError(f"{key}: {where}.{nearest(part, names) or ' It has ' + ', '.join(names) + '.'}")
        if OmegaConf.is_missing(node, part) or depth == len(parts) - 1:
            break
        node = node[part]
    if override.is_delete():
        raise CommandLineError(f"~{key}: a setting cannot be removed. Give it a value, or null where it may be empty.")
    value = override.value()
    try:
        OmegaConf.update(config, key, value)
    except (ValidationError, OmegaConfBaseException) as error:
        raise CommandLineError(f"{override.input_line}: {_expected(error, value)}") from error


def _expected(error: Exception, value: Any) -> str:
    reason = str(error).split("\n")[0]
    for word, kind in (("Integer", "a whole number"), ("Float", "a number"), ("Boolean", "true or false")):
        if f"converted to {word}" in reason:
            if word == "Integer" and isinstance(value, float) and math.isfinite(value) and value.is_integer():
                return f"expected {kind}; write {int(value)}"
            return f"expected {kind}, not {value!r}"
    if "not nullable" in reason or "is not Optional" in reason:
        return "this setting needs a value, not null"
    if "Invalid type assigned" in reason or "is not a ListConfig" in reason or "'ListConfig'" in reason:
        return f"expected a list in brackets or a dictionary in braces, not {value!r}"
    if reason.startswith("Cannot assign") and "Dict" in reason:
        return f"expected a dictionary in braces, such as {{name: value}}, not {value!r}"
    return reason
