"""Who came from whom, in every search."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agents.quality_diversity.cma_searches import CMAME, CMAESSearch
from agents.quality_diversity.emitters import Emitting
from agents.quality_diversity.evolver import Evolver
from agents.quality_diversity.learned_space import Learning
from agents.quality_diversity.lineage import ancestry
from agents.quality_diversity.map_elites import MapElites
from agents.quality_diversity.novelty_search import NoveltySearch, Search
from agents.quality_diversity.random_search import RandomSearch
from agents.quality_diversity.serene import Serene
from agents.quality_diversity.taxons import Taxons2020
from tests.agents.quality_diversity.plane import SIZE, play, play_and_draw, resumed

SIGMA = 0.2
wide = partial(play, radius=0.4)
SEARCH = Search(population=20, chunk=60, sigma=SIGMA)
EMITTING = Emitting(window=8, bootstrap=False)
MAKERS: dict[str, Callable[[], Evolver]] = {
    "novelty": lambda: NoveltySearch(SIZE, 500, settings=SEARCH),
    "serene": lambda: Serene(SIZE, 400, settings=SEARCH, emitting=EMITTING),
    "serene, tried first": lambda: Serene(SIZE, 700, settings=Search(population=20, chunk=120, sigma=SIGMA)),
    "serene, cma_es": lambda: Serene(SIZE, 700, settings=SEARCH, emitting=Emitting(kind="cma_es", window=8)),
    "map_elites": lambda: MapElites(SIZE, 500, bins=10, population=20, sigma=SIGMA),
    "cma_me": lambda: CMAME(SIZE, 300, bins=10, population=20),
    "cma_es": lambda: CMAESSearch(SIZE, 200),
    "random": lambda: RandomSearch(SIZE, 200, population=20),
    "taxons, 2020": lambda: Taxons2020(
        SIZE, 300, population=20, sigma=SIGMA, mutate=0.5, mutate_gene=0.5, learning=Learning(training=False)
    ),
}


def lived(
    evolver: Evolver, most: int = 10**9, tmp_path: Path | None = None, make: Any = None
) -> tuple[np.ndarray, np.ndarray]:
    """Genomes and parents of all evaluations; with a path, resumed before every tell and ask."""
    player = play_and_draw if evolver.view != (0,) else wide
    genomes, parents = [], []
    while evolver.left:
        genomes.append(evolver.ask(most))
        if tmp_path is not None:
            evolver = resumed(evolver, make, tmp_path)
        parents.append(evolver.parents)
        assert len(parents[-1]) == len(genomes[-1])
        evolver.tell(player(genomes[-1]))
        assert len(evolver.parents) == 0
    return np.concatenate(genomes), np.concatenate(parents)


@pytest.mark.parametrize("name", MAKERS)
def test_parents_came_before_and_their_children_are_near(name: str) -> None:
    genomes, parents = lived(MAKERS[name]())
    children = np.flatnonzero(parents >= 0)
    assert (parents[children] < children).all()
    if name in ("cma_me", "cma_es", "random"):
        assert len(children) == 0, "a distribution, or nobody"
        return
    first = 60 if name == "taxons, 2020" else 20  # there, who is not changed is evaluated once more
    assert len(children) >= len(parents) - first, "all but the first population"
    away = np.linalg.norm(genomes[children] - genomes[parents[children]], axis=1)
    anybody = np.linalg.norm(genomes[children] - genomes[np.roll(parents[children], 7)], axis=1)
    if name.startswith("serene"):  # an emitter's noise is its own
        assert np.median(away) < 0.5 * np.median(anybody)
    else:
        assert away.max() < SIGMA * np.sqrt(SIZE) * 2.5 < np.median(anybody)


@pytest.mark.parametrize("name", MAKERS)
def test_parents_are_right_in_pieces_and_after_a_resume(name: str, tmp_path: Path) -> None:
    _, whole = lived(MAKERS[name]())
    _, pieces = lived(MAKERS[name](), most=37)
    stopped = lived(MAKERS[name](), most=61, tmp_path=tmp_path, make=MAKERS[name])[1]
    np.testing.assert_array_equal(pieces, whole)
    np.testing.assert_array_equal(stopped, whole)


@pytest.mark.parametrize("name", MAKERS)
def test_an_elite_is_found_among_what_was_evaluated(name: str) -> None:
    evolver = MAKERS[name]()
    genomes, parents = lived(evolver)
    elites = evolver.elites()
    assert len(elites.ids) == len(np.unique(elites.ids)) > 0
    np.testing.assert_array_equal(elites.genomes, genomes[elites.ids])
    np.testing.assert_allclose(elites.rewards, wide(genomes).rewards[elites.ids])
    for each in elites.ids.tolist():
        line = ancestry(parents, each)
        assert line[-1] == each
        assert parents[line[0]] == -1


def test_members_know_the_parents_that_were_told() -> None:
    evolver = MAKERS["serene"]()
    assert isinstance(evolver, Serene)
    _, parents = lived(evolver)
    for members in (evolver.population, evolver.archive.members, evolver.rewarded.members):
        np.testing.assert_array_equal(members.parents, parents[members.ids])


def test_who_is_evaluated_again_unchanged_has_the_parent_that_it_had() -> None:
    evolver = MAKERS["taxons, 2020"]()
    assert isinstance(evolver, Taxons2020)
    _, parents = lived(evolver)
    kept = evolver.archive.members
    np.testing.assert_array_equal(kept.parents, parents[kept.ids])


def test_a_line_goes_from_the_root_to_the_individual() -> None:
    assert ancestry([-1, -1, 0, 2, 1], 3).tolist() == [0, 2, 3]
    assert ancestry([-1, -1, 0, 2, 1], 1).tolist() == [1]
    with pytest.raises(ValueError, match="there are 2"):
        ancestry([-1, 0], 2)
    with pytest.raises(ValueError, match="came later"):
        ancestry([1, 0], 0)
