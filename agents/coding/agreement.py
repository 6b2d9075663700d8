"""What two players must share before anything can be told between them."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np


class Disagreement(ValueError):
    """Two players do not share what a message is told by."""


@dataclass(frozen=True)
class Agreement:
    """Everything that decides a coupling, by name.

    >>> mine = Agreement({"rate": 0.5, "blocks": (256, 256)})
    >>> must_match(mine, Agreement({"rate": 1.0, "blocks": (256, 256)}))
    Traceback (most recent call last):
    agents.coding.agreement.Disagreement: players do not share rate: 0.5 here, 1.0 there. ...

    Attributes:
        terms: such as weights (a hash of the network), temperature, prior, blocks, rate, encoder,
            coupling, grid, noise, merge, version and environment: numbers, strings, None, and lists
            and mappings of them.

    Raises:
        ValueError: a value that is none of these.
    """

    terms: Mapping[str, Any]

    def __post_init__(self) -> None:
        object.__setattr__(self, "terms", {name: _plain(name, value) for name, value in sorted(self.terms.items())})

    def digest(self) -> str:
        """A SHA-256 of all terms, the same wherever they are the same."""
        text = json.dumps(self.terms, sort_keys=True, separators=(",", ":"), allow_nan=False)
        return hashlib.sha256(text.encode()).hexdigest()


def must_match(mine: Agreement, theirs: Agreement) -> None:
    """Refuse to decode where anything differs.

    Raises:
        Disagreement: names what differs, with both values.
    """
    differences = list(_differences(mine.terms, theirs.terms))
    if differences:
        raise Disagreement(
            f"players do not share {'; '.join(differences)}. Both sides must hold the same, or what is decoded means "
            "nothing: load the sender's settings and weights"
        )


def _differences(mine: Mapping[str, Any], theirs: Mapping[str, Any], within: str = "") -> Iterator[str]:
    for name in sorted({*mine, *theirs}):
        here, there = mine.get(name, "nothing"), theirs.get(name, "nothing")
        if isinstance(here, Mapping) and isinstance(there, Mapping):
            yield from _differences(here, there, f"{within}{name}.")
        elif here != there or type(here) is not type(there) or (name in mine) != (name in theirs):
            yield f"{within}{name}: {_short(here)} here, {_short(there)} there"


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _plain(name: str, value: Any) -> Any:
    if isinstance(value, np.generic | np.ndarray):
        value = value.tolist()
    if isinstance(value, Mapping):
        if not all(isinstance(key, str) for key in value):
            raise ValueError(f"{name} has keys that are no strings: name what is agreed on")
        return {key: _plain(f"{name}.{key}", each) for key, each in sorted(value.items())}
    if isinstance(value, list | tuple):
        return [_plain(name, each) for each in value]
    if value is None or isinstance(value, bool | int | str) or (isinstance(value, float) and math.isfinite(value)):
        return value
    raise ValueError(
        f"{name}={value!r} ({type(value).__name__}): expected finite numbers, strings, None, lists or mappings of them"
    )
