"""scripts.train's command line: read, checked and explained before Hydra runs, so that a slip costs one clear line."""

from __future__ import annotations

import difflib
import re
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from hydra import compose, initialize
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra._internal.utils import get_args_parser
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException, OverrideParseException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from scripts.configuration import (
    AGENTS,
    CONFIG_NAME,
    DEFAULTS,
    GROUPS,
    ConfigurationError,
    EpisodeTransformConfig,
    ShapingConfig,
    TermConfig,
    TrackingConfig,
    TrainConfig,
    check_values,
    curated_environments,
    environments,
    options_of,
    register_configuration,
    shaping_options,
    term_config,
)

_FREE = (
    r"env\.kwargs\..+",
    r"agent\.policy_kwargs\..+",
    r"shaping\.episode\.arguments\..+",
    r"shaping\.terms\.\w+\.transforms\..+",
)
"""Keys under which anything may stand: they go to code that checks its own arguments."""
_SCHEDULE = re.compile(r"(linear|exponential|piecewise)\([^()]*\)")
_POWER = re.compile(r"(?<![\w.'\"])(\d+(?:\.\d+)?e\+?\d+)(?![\w.'\"])", re.IGNORECASE)
_MOST_JOBS_CHECKED = 1000


@dataclass(frozen=True)
class CommandLine:
    """What was asked for."""

    arguments: list[str]
    """For Hydra, made explicit (see `_explicit`)."""
    overrides: list[str]
    multirun: bool
    wants_help: bool


def parse(arguments: Sequence[str]) -> CommandLine:
    """Read a command line.

    Raises:
        ConfigurationError: an argument is no KEY=VALUE.
    """
    parsed = get_args_parser().parse_args(list(arguments))
    overrides = _explicit(parsed.overrides)
    flags = list(arguments)
    for text in parsed.overrides:
        flags.remove(text)
    return CommandLine([*flags, *overrides], overrides, bool(parsed.multirun), bool(parsed.help))


def _explicit(overrides: Sequence[str]) -> list[str]:
    """The same overrides as Hydra wants them written.

    A schedule is quoted (to Hydra it looks like a function), 1e6 becomes 1000000 (counts are whole numbers), a free key
    gets its ++, and env.id without env= stands for env=custom: another task must not inherit the default task's events.
    """
    result = []
    for text in overrides:
        key, equals, value = text.partition("=")
        if equals and not value.startswith(("'", '"')):
            value = _SCHEDULE.sub(lambda match: f"'{match[0]}'", value)
            if "'" not in value:
                value = _POWER.sub(lambda match: _whole(match[1]), value)
        if any(re.fullmatch(free, key) for free in _FREE):
            key = f"++{key}"
        result.append(f"{key}{equals}{value}")
    keys = [text.partition("=")[0] for text in overrides]
    if "env.id" in keys and "env" not in keys:
        result.insert(0, "env=custom")
    return result


def _whole(text: str) -> str:
    number = float(text)
    return str(int(number)) if number.is_integer() else text


# Checking ---------------------------------------------------------------------------------------------------------------


def check(command: CommandLine) -> list[DictConfig]:
    """Compose and check every job of a command line.

    Returns:
        The configuration of each job, one where nothing is swept.

    Raises:
        ConfigurationError: the first thing that is wrong with it, and the nearest right one.
    """
    register_configuration()
    parsed = [_parse_override(text) for text in command.overrides]
    for override in parsed:
        if override.is_sweep_override() and not command.multirun:
            raise ConfigurationError(
                f"{override.input_line}: several values at once. Add -m to run them all one after the other"
                + (f", or write {override.key_or_group}=[...] to combine them." if override.key_or_group == "shaping" else ".")
            )
    if not command.multirun:
        return [compose_job(command.overrides)]
    jobs = [job for batch in BasicSweeper.split_arguments(parsed, None) for job in batch]
    configs = [compose_job(job) for job in jobs[:_MOST_JOBS_CHECKED]]
    if len(jobs) > 1 and configs[0].run_dir is not None and len({config.run_dir for config in configs}) < len(configs):
        raise ConfigurationError(
            f"run_dir={configs[0].run_dir} would be the directory of {len(configs)} runs. Leave it out, or make it differ: "
            "'run_dir=runs/sweep/${agent.name}-${seed}'"
        )
    return configs


def compose_job(overrides: Sequence[str]) -> DictConfig:
    """The checked configuration of one job.

    Raises:
        ConfigurationError: an unknown group, option or key (with the nearest right one) or a wrong value.
    """
    register_configuration()
    groups, values = [], []
    for text in overrides:
        override = _parse_override(text)
        key = override.key_or_group
        if key.startswith("hydra"):
            continue
        if key in GROUPS:
            _check_choice(override)
            groups.append(text)
        else:
            values.append(override)
    base = _compose(groups)
    for override in values:
        _check_key(base, override)
    config = _compose([text for text in overrides if not text.lstrip("+~").startswith("hydra")])
    missing = sorted(key for key in OmegaConf.missing_keys(config) if not key.startswith("hydra"))
    if "env.id" in missing:
        raise ConfigurationError("env=custom needs env.id=ID, any registered gymnasium id")
    if missing:
        raise ConfigurationError(f"{missing[0]} has no default: give it a value, {missing[0]}=...")
    try:
        check_values(flatten(config))
    except OmegaConfBaseException as error:  # an interpolation that leads nowhere
        raise ConfigurationError(str(error).splitlines()[0]) from error
    return config


def choices_of(overrides: Sequence[str]) -> dict[str, str]:
    """The group choices of one job, {env:, shaping:, agent:, tracking:}; several terms are joined by "+".

    A custom environment is named by its id.
    """
    choices = dict(DEFAULTS)
    env_id = None
    for text in _explicit(overrides):
        override = _parse_override(text)
        if override.key_or_group in GROUPS:
            value = override.value()
            choices[override.key_or_group] = "+".join(map(str, value)) if isinstance(value, list) else str(value)
        elif override.key_or_group == "env.id":
            env_id = str(override.value())
    choices["shaping"] = choices["shaping"] or "none"
    if env_id is not None and environments()[choices["env"]].id != env_id:
        choices["env"] = env_id
    return choices


def flatten(config: Any, prefix: str = "") -> dict[str, Any]:
    """Dotted key -> value of every leaf."""
    if OmegaConf.is_config(config):
        config = OmegaConf.to_container(config, resolve=True)
    items: dict[str, Any] = {}
    for key, value in config.items():
        if isinstance(value, dict) and value:
            items |= flatten(value, f"{prefix}{key}.")
        else:
            items[f"{prefix}{key}"] = value
    return items


def nearest(word: str, words: Sequence[str]) -> str:
    """" Did you mean ...?", or nothing."""
    near = difflib.get_close_matches(word, words, n=1, cutoff=0.5)
    return f" Did you mean {near[0]}?" if near else ""


def _parse_override(text: str) -> Override:
    try:
        return OverridesParser.create().parse_override(text)
    except OverrideParseException as error:
        if "=" not in text:
            hint = nearest(text, [*GROUPS, *_root_keys()]).replace("?", "=...?")
            raise ConfigurationError(f"{text!r} is no KEY=VALUE.{hint} See --help.") from error
        raise ConfigurationError(
            f"{text}: the value cannot be read. Quote text with special characters: \"{text.partition('=')[0]}='...'\""
        ) from error


def _check_choice(override: Override) -> None:
    group, value = override.key_or_group, override.value()
    options = options_of(group)
    chosen = value if isinstance(value, list) else [value]
    if isinstance(value, list) and group != "shaping":
        raise ConfigurationError(f"{override.input_line}: only shaping can be a combination; choose one {group}")
    for name in chosen:
        if str(name) in options:
            continue
        text = f"there is no {group}={name}."
        if group == "env":
            short = [option.rpartition("/")[2] for option in options]
            near = difflib.get_close_matches(str(name), options, n=3) or [
                option for option in options if option.rpartition("/")[2] in difflib.get_close_matches(str(name), short, n=2)
            ]
            hint = f" Did you mean {' or '.join(near)}?" if near else ""
            raise ConfigurationError(f"{text}{hint} --help lists them; any gymnasium id works as env.id=ID.")
        raise ConfigurationError(f"{text}{nearest(str(name), options)} The options are {', '.join(options)}.")


def _check_key(base: DictConfig, override: Override) -> None:
    """Raises ConfigurationError where a key stands nowhere in the configuration that the group choices make."""
    key = override.key_or_group
    if key == "agent.name":
        raise ConfigurationError(f"{override.input_line}: choose the agent with agent={override.value()}")
    if any(re.fullmatch(free, key) for free in _FREE):
        return
    node: Any = base
    for depth, part in enumerate(parts := key.split(".")):
        if OmegaConf.is_dict(node) and part in node:
            node = node[part] if not OmegaConf.is_missing(node, part) else None
            continue
        where = ".".join(parts[:depth])
        if where == "shaping.terms" and part in shaping_options():
            chosen = [*base.shaping.terms, part]
            raise ConfigurationError(f"{key}: {part} is not among the reward terms. Add it: shaping=[{','.join(chosen)}]")
        if depth == 0:
            everything = [*GROUPS, *_root_keys()]
            leaves = [dotted for dotted in flatten(_raw(base)) if dotted.endswith(f".{key}")]
            hint = f" Did you mean {leaves[0]}?" if leaves else nearest(part, everything)
            raise ConfigurationError(f"there is no option {key}.{hint} --help lists them.")
        names = [str(name) for name in node] if OmegaConf.is_dict(node) else []
        hint = difflib.get_close_matches(part, names, n=1, cutoff=0.5)
        suggestion = f" Did you mean {where}.{hint[0]}?" if hint else f" {where} has {', '.join(names) or 'no parts'}."
        raise ConfigurationError(f"there is no option {key}.{suggestion}")


def _raw(config: DictConfig) -> dict[str, Any]:
    container = OmegaConf.to_container(config, resolve=False)
    assert isinstance(container, dict)
    return {str(key): value for key, value in container.items()}


def _root_keys() -> list[str]:
    return [f.name for f in fields(TrainConfig) if f.name not in ("defaults", "hydra", *GROUPS)]


def _compose(overrides: Sequence[str]) -> DictConfig:
    try:
        with initialize(version_base="1.3", config_path=None):
            return compose(CONFIG_NAME, overrides=list(overrides))
    except (HydraException, OmegaConfBaseException) as error:
        cause = error.__cause__ or error
        reason = next((line for line in str(cause).splitlines() if line.strip()), str(error))
        culprit = re.search(r"Error merging override (.*)", str(error))
        raise ConfigurationError(f"{culprit[1]}: {reason}" if culprit else reason) from error


# Help -------------------------------------------------------------------------------------------------------------------

_WIDTH = 110


def help_text(overrides: Sequence[str]) -> str:
    """What --help prints: the groups, and every option of the configuration that `overrides` choose."""
    register_configuration()
    choices = choices_of(overrides)
    families = sorted(environments(), key=lambda name: (name not in curated_environments(), name))
    terms = shaping_options()
    chosen_terms = [term for name in choices["shaping"].split("+") for term in terms.get(name, ())]
    agent = AGENTS.get(choices["agent"], AGENTS[DEFAULTS["agent"]])
    lines = [
        "Train an agent on an environment, with reward terms.",
        "",
        "    python -m scripts.train [env=NAME] [shaping=NAME or shaping=[NAME,NAME]] [agent=NAME] [tracking=NAME] [OPTION=VALUE ...]",
        "    python -m scripts.train resume=RUN [total_timesteps=MORE]     go on with a run that was stopped or killed",
        "    python -m scripts.train -m seed=1,2,3 shaping=none,events     every combination, one after the other",
        "",
        *_paragraph("env", f"where the agent acts ({choices['env']}). Any gymnasium id works: env.id=ID", families),
        *_paragraph("shaping", f"where reward comes from besides the task ({choices['shaping']})", [*terms]),
        *_paragraph("agent", f"what learns ({choices['agent']})", [*AGENTS]),
        *_paragraph("tracking", f"who is told ({choices['tracking']}); progress.csv is always written", options_of("tracking")),
        "Options, with their defaults:",
        *_fields(TrainConfig, "", skip=("defaults", "hydra", *GROUPS)),
        "",
        f"Options of env={choices['env']}:",
        *_fields(type(environments()["custom"]), "env.", values=environments().get(choices["env"])),
        "",
        f"Options of shaping={choices['shaping']}:",
        *_fields(ShapingConfig, "shaping.", skip=("terms", "episode")),
        *_fields(EpisodeTransformConfig, "shaping.episode."),
    ]
    for term in chosen_terms:
        lines += _fields(term_config(term), f"shaping.terms.{term}.")
    lines += ["", f"Options of agent={agent.name}:", *_fields(agent, "agent.", skip=("name",))]
    lines += ["", f"Options of tracking={choices['tracking']}:", *_fields(TrackingConfig, "tracking.")]
    lines += [
        "",
        "Give choices together with --help to see their options: python -m scripts.train agent=dqn shaping=rnd --help",
    ]
    return "\n".join(lines)


def _paragraph(group: str, text: str, names: Sequence[str]) -> list[str]:
    body = textwrap.wrap("  ".join(names), _WIDTH - 4, break_on_hyphens=False, break_long_words=False)
    return [f"{group}=   {text}", *(f"    {line}" for line in body), ""]


def _fields(config: type, prefix: str, skip: Sequence[str] = (), values: Any = None) -> list[str]:
    lines = []
    common = {f.name for f in fields(TermConfig)}
    ordered = sorted(fields(config), key=lambda f: prefix.startswith("shaping.terms") and f.name in common)
    for f in ordered:
        if f.name in skip:
            continue
        default: Any = getattr(values, f.name) if values is not None else _default(f)
        key = f"{prefix}{f.name}={_written(default)}"
        lines.append(f"  {key:<42} {f.metadata.get('help', '')}".rstrip())
    return lines


def _default(f: Any) -> Any:
    return f.default_factory() if callable(f.default_factory) else f.default


def _written(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{key}:{_written(entry)}" for key, entry in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_written, value)) + "]"
    if hasattr(value, "value") and hasattr(value, "name"):
        return str(value.name)
    return str(value)
