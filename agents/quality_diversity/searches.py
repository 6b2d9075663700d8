"""Searches by name, made of an agent's settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from typing import Any

import numpy as np

from agents.quality_diversity.cma_searches import CMAME, CMAESSearch
from agents.quality_diversity.descriptors import Descriptor, Frames
from agents.quality_diversity.emitters import Emitting
from agents.quality_diversity.evolver import Evolver
from agents.quality_diversity.learned_space import Learning
from agents.quality_diversity.map_elites import MapElites
from agents.quality_diversity.novelty_search import NoveltySearch, Search
from agents.quality_diversity.random_search import RandomSearch
from agents.quality_diversity.serene import Serene
from agents.quality_diversity.stax import Stax
from agents.quality_diversity.taxons import Taxons, Taxons2020

Extent = Sequence[Sequence[float]]
"""((low, high), (low, high)) of positions."""
Settings = Mapping[str, Any]


def make_search(
    name: str, settings: Settings, size: int, descriptor: Descriptor, extent: Extent | None, seed: int
) -> Evolver:
    """An evolver.

    Args:
        name: of `SEARCHES`.
        settings: of the agent, by name.
        size: genes.
        descriptor: of behaviour.
        extent: of positions, for grids; None: unknown.
        seed: of everything random.

    Raises:
        ValueError: settings that cannot work; says which.
    """
    common: dict[str, Any] = {"seed": seed, "bound": settings["bound"], "most_failed": settings["most_failed"]}
    if descriptor.size:
        common["descriptor_size"] = descriptor.size
    return SEARCHES[name](settings, size, descriptor, extent, common)


def _population(settings: Settings, size: int, descriptor: Descriptor, extent: Extent | None, common: Any) -> Evolver:
    return NoveltySearch(size, settings["evaluations"], settings=_search(settings), **common)


def _serene(settings: Settings, size: int, descriptor: Descriptor, extent: Extent | None, common: Any) -> Evolver:
    return Serene(size, settings["evaluations"], settings=_search(settings), emitting=_emitting(settings), **common)


def _stax(settings: Settings, size: int, descriptor: Descriptor, extent: Extent | None, common: Any) -> Evolver:
    learning = _learning(settings, descriptor)
    return Stax(
        size,
        settings["evaluations"],
        settings=_search(settings),
        emitting=_emitting(settings),
        learning=learning,
        **common,
    )


def _taxons(settings: Settings, size: int, descriptor: Descriptor, extent: Extent | None, common: Any) -> Evolver:
    learning = _learning(settings, descriptor)
    if settings["version"] == "later":
        return Taxons(size, settings["evaluations"], settings=_search(settings), learning=learning, **common)
    given = {name: settings[name] for name in ("population", "additions", "selection", "sigma", "neighbours")}
    return Taxons2020(size, settings["evaluations"], learning=learning, **given, **common)


def _random(settings: Settings, size: int, descriptor: Descriptor, extent: Extent | None, common: Any) -> Evolver:
    given = {"population": settings["population"], "threshold": settings["threshold"]}
    return RandomSearch(size, settings["evaluations"], **given, **common)


def _map_elites(settings: Settings, size: int, descriptor: Descriptor, extent: Extent | None, common: Any) -> Evolver:
    low, high = _grid(descriptor, extent)
    given = {name: settings[name] for name in ("bins", "population", "sigma")}
    return MapElites(size, settings["evaluations"], low=low, high=high, **given, **common)


def _cma_me(settings: Settings, size: int, descriptor: Descriptor, extent: Extent | None, common: Any) -> Evolver:
    low, high = _grid(descriptor, extent)
    given = {name: settings[name] for name in ("bins", "population", "sigma", "samples")}
    return CMAME(size, settings["evaluations"], low=low, high=high, **given, **common)


def _cma_es(settings: Settings, size: int, descriptor: Descriptor, extent: Extent | None, common: Any) -> Evolver:
    given = {name: settings[name] for name in ("population", "sigma")}
    return CMAESSearch(size, settings["evaluations"], **given, **common)


SEARCHES: Mapping[str, Callable[[Settings, int, Descriptor, Extent | None, Any], Evolver]] = {
    "novelty_search": _population,
    "nsga2": _population,
    "nslc": _population,
    "serene": _serene,
    "taxons": _taxons,
    "stax": _stax,
    "map_elites": _map_elites,
    "cma_me": _cma_me,
    "cma_es": _cma_es,
    "random_genomes": _random,
}
"""Name -> (settings, genes, descriptor, extent, what all evolvers take) -> evolver."""


def _search(settings: Settings) -> Search:
    return Search(**{entry.name: settings[entry.name] for entry in fields(Search)})


def _emitting(settings: Settings) -> Emitting:
    """Of settings that begin with "emitter_", but for those that no search has too."""
    given = {entry.name: settings.get(f"emitter_{entry.name}", settings.get(entry.name)) for entry in fields(Emitting)}
    return Emitting(**given)


def _learning(settings: Settings, descriptor: Descriptor) -> Learning:
    given = {entry.name: settings[entry.name] for entry in fields(Learning) if entry.name != "frames"}
    return Learning(**given, frames=len(descriptor.frames))


def _grid(descriptor: Descriptor, extent: Extent | None) -> tuple[list[float], list[float]]:
    """Bounds of a descriptor of positions."""
    if not isinstance(descriptor, Frames):
        raise ValueError("a grid of behaviours is one of positions: give agent.descriptor=final or frames:2")
    if extent is None:
        raise ValueError("a grid needs bounds, which this environment does not tell: give agent.extent=[[0,1],[0,1]]")
    low, high = np.array(extent, np.float64).T
    times = descriptor.size // 2
    return np.tile(low, times).tolist(), np.tile(high, times).tolist()
