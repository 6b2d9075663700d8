"""The configuration of reward terms: each one's own arguments, and what every term has."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import field, make_dataclass
from typing import Any

from omegaconf import DictConfig, OmegaConf

from scripts.configuration.groups import Weight
from shaping.terms import registry

ALL_TERMS = ("potential", "events", "count", "rnd")
"""What `shaping=all` puts together."""

EVERY_TERM: Mapping[str, Any] = {"weight": 1.0, "channels": {}, "transforms": [], "normalise": False, "clip": None}
"""What every term's configuration has beside its own arguments, with its defaults.

The weight, weights of single channels on top of it, transforms by name in their order, then running
normalisation and clipping.
"""


def presets() -> dict[str, Mapping[str, Any]]:
    """Option of the group shaping -> arguments: "oni/retrieval" is the term oni, set up."""
    return {
        f"{name}/{preset}": arguments
        for name in registry.names()
        for preset, arguments in registry.get(name).presets.items()
    }


def schema(name: str) -> type:
    """The dataclass of one term: its own arguments, and those of `EVERY_TERM`.

    Raises:
        ValueError: the term has an argument with one of those names.
    """
    arguments = registry.schema(name)
    taken = sorted({entry.name for entry in dataclasses.fields(arguments)} & set(EVERY_TERM))
    if taken:
        raise ValueError(
            f"The reward term {name!r} has a constructor argument called {', '.join(taken)}, which every term's "
            "configuration already has for its own. Call the argument something else."
        )
    shared: list[tuple[str, Any, Any]] = [
        ("weight", Weight, field(default=1.0)),
        ("channels", dict[str, Weight], field(default_factory=dict)),
        ("transforms", list[Any], field(default_factory=list)),
        ("normalise", bool, field(default=False)),
        ("clip", float | None, field(default=None)),
    ]
    config = make_dataclass(f"{name.title()}Config", shared, bases=(arguments,), kw_only=True)
    config.__doc__ = arguments.__doc__
    return config


def node(option: str) -> DictConfig:
    """The configuration of an option: a term, or a preset behind a slash.

    What the environment's card says is a reference to it.
    """
    name = option.partition("/")[0]
    term = registry.get(name)
    config: DictConfig = OmegaConf.structured(schema(name))
    for argument, entry in term.card.items():
        config[argument] = f"${{env.{entry}}}"
    for argument, value in (*term.defaults.items(), *presets().get(option, {}).items()):
        config[argument] = value
    return config
