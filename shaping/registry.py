"""Reward terms by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from shaping.terms import RewardTerm, registry


def register_term(name: str) -> Callable[[type[Any]], type[Any]]:
    """``@register_term("name")`` over a `RewardTerm` makes ``shaping=name`` exist."""
    return registry.register(name)


def term_names() -> tuple[str, ...]:
    """Names of all reward terms."""
    return registry.names()


def make_term(name: str, **arguments: Any) -> RewardTerm:
    """The reward term of that name, built with these constructor arguments."""
    return registry.make(name, **arguments)


def term_schema(name: str) -> type:
    """The reward term's arguments as a dataclass type; see `Registry.schema`."""
    return registry.schema(name)
