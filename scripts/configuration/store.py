"""Hands every group and option to Hydra, and reads a run's configuration back."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hydra.core.config_store import ConfigStore
from omegaconf import OmegaConf

import agents
import envs
from scripts.configuration import terms
from scripts.configuration.groups import DEFAULT_CHOICES, LLMS, TRACKERS, RunConfig, environments
from scripts.configuration.help import help_text
from shaping import term_names
from shaping.terms import registry as reward_terms


@dataclass
class _Primary(RunConfig):
    """`RunConfig` as Hydra starts from it."""

    # _self_ first: a group's option overrides the bare defaults above
    defaults: list[Any] = field(
        default_factory=lambda: [
            "_self_",
            *({group: choice} for group, choice in DEFAULT_CHOICES.items()),
            {"override hydra/job_logging": "none"},
            {"override hydra/hydra_logging": "none"},
            {"override hydra/help": "breadcrumb"},
        ]
    )


HYDRA_SETTINGS = (
    # Hydra's own folders would lie beside ours and hold the same again.
    "hydra.run.dir=.",
    "hydra.output_subdir=null",
    "hydra.sweep.dir=runs/.sweeps/${now:%Y%m%d-%H%M%S}",
    "hydra.sweep.subdir=.",
    "hydra.job.name=train",
)
"""Overrides that stand before the user's own."""


def options(group: str) -> tuple[str, ...]:
    """The options of a group, in the order in which `--help` lists them."""
    if group == "shaping":
        return ("none", "all", *term_names(), *terms.presets())
    known: Mapping[str, Mapping[str, Any]] = {
        "env": environments(),
        "agent": agents.options(),
        "tracking": TRACKERS,
        "llm": LLMS,
    }
    return tuple(known[group])


_handed_over: tuple[Any, ...] = ()  # what Hydra has


def register() -> None:
    """Hand every group and option to Hydra; again where there are other parts than before."""
    global _handed_over
    parts = (
        [(name, reward_terms.schema(name)) for name in term_names()],
        list(agents.options().items()),
        list(envs.options().items()),
    )
    if parts == _handed_over:
        return
    _handed_over = parts
    store = ConfigStore.instance()
    for option, env in environments().items():
        folder, _, name = option.rpartition("/")
        store.store(group=f"env/{folder}" if folder else "env", name=name, node=env, package="env", provider="scripts")
    store.store(group="shaping", name="none", node={}, package="shaping")
    for option in (*term_names(), *terms.presets()):
        term, _, preset = option.partition("/")
        group, name = (f"shaping/{term}", preset) if preset else ("shaping", term)
        store.store(group=group, name=name, node=terms.node(option), package=f"shaping.terms.{term}")
    together = [name for name in terms.ALL_TERMS if name in term_names()]
    store.store(group="shaping", name="all", node={"defaults": together}, package="shaping")
    for option, agent in agents.options().items():
        algorithm, _, preset = option.partition("/")
        group, name = (f"agent/{algorithm}", preset) if preset else ("agent", algorithm)
        store.store(group=group, name=name, node=agent, package="agent")
    for option, llm in LLMS.items():
        store.store(group="llm", name=option, node=llm, package="llm")
    for option, tracker in TRACKERS.items():
        store.store(group="tracking", name=option, node=tracker, package="tracking")
    plain_words = {"app_name": "scripts.train", "header": "", "footer": "", "template": help_text().replace("$", "$$")}
    store.store(group="hydra/help", name="breadcrumb", node=plain_words)
    store.store(name="train", node=_Primary)


def from_container(container: Mapping[str, Any]) -> RunConfig:
    """A `RunConfig` from plain containers, as `config.yaml` holds them.

    Raises:
        ValueError: an entry that does not exist or has the wrong type.
    """
    try:
        config = OmegaConf.to_object(OmegaConf.merge(OmegaConf.structured(RunConfig), dict(container)))
    except Exception as error:
        raise ValueError(f"this is not the configuration of a run: {error}") from error
    assert isinstance(config, RunConfig)
    return config


def to_container(config: Any) -> dict[str, Any]:
    """Plain containers of a configuration, without interpolations or enumerations.

    Raises:
        omegaconf.errors.MissingMandatoryValue: a value that has no default was not given.
    """
    if dataclasses.is_dataclass(config):
        config = OmegaConf.structured(config)
    container = OmegaConf.to_container(config, resolve=True, enum_to_str=True, throw_on_missing=True)
    assert isinstance(container, dict)
    return {str(key): value for key, value in container.items()}


def choices(config: RunConfig, chosen: Mapping[str, Any]) -> dict[str, str]:
    """The group choices of a run, as choices.yaml and summary.json name them.

    Args:
        config: of the run.
        chosen: Hydra's own account of them.
    """
    env = str(chosen["env"])
    if config.env.id != environments()[env].id:
        env = config.env.id.removeprefix("breadcrumb/")  # env.id=... on top of an option
    shaping = "+".join(config.shaping.terms) or "none"
    return {
        "env": env,
        "shaping": "all" if set(config.shaping.terms) == set(terms.ALL_TERMS) else shaping,
        "agent": str(chosen["agent"]),
        "tracking": str(chosen["tracking"]),
    }


def settings(group: Any) -> dict[str, Any]:
    """A group's settings as a dict of its own, of Hydra's dataclass or a file's dict."""
    if dataclasses.is_dataclass(group) and not isinstance(group, type):
        return {entry.name: getattr(group, entry.name) for entry in dataclasses.fields(group)}
    return dict(group)
