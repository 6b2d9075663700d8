"""Grids of behaviours and searches with a covariance."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from agents.quality_diversity.cma_es import CMAES
from agents.quality_diversity.cma_searches import CMAME, CMAESSearch
from agents.quality_diversity.coverage import coverage
from agents.quality_diversity.evolver import Evolver
from agents.quality_diversity.grid_archive import BETTER, NEW, REFUSED, GridArchive
from agents.quality_diversity.map_elites import MapElites
from agents.quality_diversity.members import Members
from tests.agents.quality_diversity.plane import AREAS, SIZE, place, play, resumed, search

LOW, HIGH = -np.ones(2), np.ones(2)

MAKERS: dict[str, Callable[..., Evolver]] = {
    "map_elites": lambda budget=1000: MapElites(SIZE, budget, bins=20, sigma=0.2),
    "cma_es": lambda budget=1000: CMAESSearch(SIZE, budget),
    "cma_me": lambda budget=1000: CMAME(SIZE, budget, bins=20, population=20),
}


def members(descriptors: list[list[float]], rewards: list[float], first: int = 0) -> Members:
    n = len(rewards)
    made = Members.nobody(1, len(descriptors[0]))
    columns = {name: np.zeros((n, *value.shape[1:]), value.dtype) for name, value in vars(made).items()}
    ids = np.arange(first, first + n)
    return Members(**columns | {"descriptors": np.array(descriptors), "rewards": np.array(rewards), "ids": ids})


def grid(ties: bool = True) -> GridArchive:
    return GridArchive(Members.nobody(1, 2), LOW, HIGH, bins=2, ties=ties)


# Grids --------------------------------------------------------------------------------------------


def test_a_cell_holds_the_best_and_each_is_told_what_became_of_it() -> None:
    archive = grid()
    assert archive.add(members([[-0.5, -0.5], [-0.6, -0.6], [0.5, 0.5]], [1.0, 3.0, 0.0])).tolist() == [NEW, NEW, NEW]
    assert sorted(archive.members.ids) == [1, 2]
    status = archive.add(members([[-0.5, -0.5], [0.5, 0.5], [0.5, -0.5]], [2.0, 1.0, -9.0], first=3))
    assert status.tolist() == [REFUSED, BETTER, NEW]
    assert sorted(archive.members.ids) == [1, 4, 5]


@pytest.mark.parametrize(("ties", "holder"), [(True, 3), (False, 0)])
def test_equals_take_a_cell_where_ties_are_let_drift(ties: bool, holder: int) -> None:
    archive = grid(ties)
    archive.add(members([[0.1, 0.1], [0.2, 0.2]], [1.0, 1.0]))
    assert archive.members.ids.tolist() == [int(ties)]
    archive.add(members([[0.3, 0.3], [0.4, 0.4]], [1.0, 1.0], first=2))
    assert archive.members.ids.tolist() == [holder]


def test_what_lies_beyond_the_grid_is_clipped_and_counted() -> None:
    archive = grid()
    archive.add(members([[7.0, -0.5], [0.5, -9.0], [1.0, 1.0]], [1.0, 2.0, 3.0]))
    assert archive.clipped == 2
    assert len(archive) == 2


def test_a_grid_is_the_same_one_after_the_other_and_all_at_once() -> None:
    random = np.random.default_rng(0)
    for ties in (True, False):
        at_once, singly = grid(ties), grid(ties)
        batch = members(random.uniform(-1, 1, (60, 2)).tolist(), random.integers(0, 5, 60).astype(float).tolist())
        at_once.add(batch)
        for row in range(60):
            singly.add(batch.rows(slice(row, row + 1)))
        assert set(at_once.members.ids) == set(singly.members.ids)


def test_grids_that_do_not_fit_are_refused() -> None:
    nobody = Members.nobody(1, 2)
    with pytest.raises(ValueError, match="descriptors of 2 numbers"):
        GridArchive(nobody, np.zeros(3), np.ones(3))
    with pytest.raises(ValueError, match="high must be above low"):
        GridArchive(nobody, np.zeros(2), np.zeros(2))
    with pytest.raises(ValueError, match="fewer bins"):
        GridArchive(Members.nobody(1, 6), np.zeros(6), np.ones(6))


# CMA-ES -------------------------------------------------------------------------------------------


def test_cma_es_comes_to_the_bottom_of_a_narrow_valley() -> None:
    scales = np.logspace(0, 2, 10)
    strategy, random = CMAES(np.full(10, 2.0), 0.5, population=10), np.random.default_rng(0)
    for _ in range(700):
        samples = strategy.ask(random)
        strategy.tell(samples, -np.square(samples * scales).sum(axis=1))
    assert np.abs(strategy.mean * scales).max() < 1e-4
    widths = np.sqrt(np.diag(strategy.covariance))
    assert widths[0] / widths[-1] > 20, "it has learned which way the valley runs"


def test_cma_es_stays_within_bounds_and_knows_when_it_is_over() -> None:
    strategy, random = CMAES(np.full(3, 0.9), 0.5, bound=1.0), np.random.default_rng(0)
    assert not strategy.has_stopped
    for _ in range(strategy.flat_after):
        samples = strategy.ask(random)
        assert np.abs(samples).max() <= 1.0
        strategy.tell(samples, np.zeros(6))
    assert strategy.has_stopped, "the best has not changed for as long as it waits"


def test_failed_samples_are_the_worst_and_a_cut_batch_moves_nothing() -> None:
    strategy, random = CMAES(np.zeros(4), 0.5), np.random.default_rng(0)
    samples = strategy.ask(random)
    values = np.array([-np.inf, -np.inf, -np.inf, 3.0, 2.0, 1.0])
    strategy.tell(samples[:4], values[:4])
    assert (strategy.mean == 0).all()
    strategy.tell(samples, values)
    assert strategy.mean == pytest.approx(strategy.weights @ samples[3:])
    before = strategy.mean
    strategy.tell(samples, np.full(6, -np.inf))
    assert (strategy.mean == before).all()


# Searches -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", MAKERS)
def test_it_spends_its_budget_however_that_is_cut_and_goes_on_to_the_bit(name: str, tmp_path: Path) -> None:
    whole = MAKERS[name]()
    expected = np.concatenate(search(whole))
    assert len(expected) == 1000
    assert (np.concatenate(search(MAKERS[name](), most=13)) == expected).all()
    stopped, asked = MAKERS[name](), []
    while stopped.left:
        asked += search(stopped, most=23, until=stopped.evaluated + 30)
        stopped = resumed(stopped, MAKERS[name], tmp_path)
    assert (np.concatenate(asked) == expected).all()
    for mine, theirs in zip(stopped.elites(), whole.elites(), strict=True):
        assert (mine == theirs).all()
    for budget in (3, 10, 103):
        assert (np.concatenate(search(MAKERS[name](budget=budget))) == expected[:budget]).all()


@pytest.mark.parametrize("name", MAKERS)
def test_failures_reach_no_grid_and_no_mean(name: str) -> None:
    evolver = MAKERS[name]()
    search(evolver, player=lambda genomes: play(genomes, lambda rows: rows[:, 0] > 0.5))
    genomes, rewards, _, _, _ = evolver.elites()
    assert np.isfinite(rewards).all()
    assert (genomes[:, 0] <= 0.5).all()


def test_map_elites_fills_the_grid() -> None:
    evolver = MapElites(SIZE, 10_000, bins=20, sigma=0.2)
    first = np.concatenate(search(evolver, until=500))
    few = len(evolver.grid)
    asked = np.concatenate([first, *search(evolver)])
    assert len(evolver.grid) > 250 > 2 * few
    assert len(evolver.grid) == coverage(place(asked), LOW, HIGH, bins=20) * 400
    assert min(evolver.areas.values()) > 0.5


def test_cma_me_fills_a_grid_with_every_strategy_in_turn() -> None:
    evolver = CMAME(SIZE, 5000, bins=20, population=20)
    search(evolver)
    assert len(evolver.grid) > 200
    assert evolver.ledger == {"exploration": 20, "exploitation": 4980}
    assert (evolver.steps > 0).all()
    assert evolver.stored.max() - evolver.stored.min() <= 6
    assert evolver.restarts > 0


def test_cma_es_is_lured_by_nothing_but_reward() -> None:
    """From the middle nothing is in sight; near an area it climbs."""
    blind = CMAESSearch(SIZE, 600)
    search(blind)
    assert blind.areas == {}

    def shifted(genomes: np.ndarray):
        target = np.repeat(8 * np.arctanh(AREAS[0]) / 4, 4)
        return play(genomes + 0.95 * target)

    seeing = CMAESSearch(SIZE, 1500)
    search(seeing, player=shifted)
    assert seeing.areas[0] > 0.99
    assert (np.diff(seeing.elites()[1]) > 0).all()
