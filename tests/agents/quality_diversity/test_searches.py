"""Searches on a plane: what they find, and that they go on to the bit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agents.quality_diversity.coverage import coverage
from agents.quality_diversity.emitters import Emitting
from agents.quality_diversity.evaluations import Evaluations
from agents.quality_diversity.evolver import Evolver
from agents.quality_diversity.novelty import novelty_scores
from agents.quality_diversity.novelty_search import NoveltySearch, Search
from agents.quality_diversity.random_search import RandomSearch
from agents.quality_diversity.serene import Serene
from tests.agents.quality_diversity.plane import SIZE, place, play, resumed, search

SMALL = Search(population=20, chunk=100, sigma=0.2)
CHUNKS = replace(SMALL, chunk=200)
QUICK = Emitting(window=10)
LOW, HIGH = -np.ones(2), np.ones(2)

MAKERS: dict[str, Callable[..., Evolver]] = {
    "random": lambda budget=1000, seed=0: RandomSearch(SIZE, budget, seed=seed),
    "novelty": lambda budget=1000, seed=0: NoveltySearch(SIZE, budget, seed=seed, settings=SMALL),
    "best_additions": lambda budget=1000, seed=0: NoveltySearch(
        SIZE, budget, seed=seed, settings=replace(SMALL, rule="best")
    ),
    "nsga2": lambda budget=1000, seed=0: NoveltySearch(
        SIZE, budget, seed=seed, settings=replace(SMALL, selection="novelty_reward")
    ),
    "nslc": lambda budget=1000, seed=0: NoveltySearch(
        SIZE, budget, seed=seed, settings=replace(SMALL, selection="novelty_local")
    ),
    "serene": lambda budget=1600, seed=0: Serene(SIZE, budget, seed=seed, settings=CHUNKS, emitting=QUICK),
    "serene_novelty": lambda budget=1600, seed=0: Serene(
        SIZE, budget, seed=seed, settings=CHUNKS, emitting=replace(QUICK, kind="novelty", scheduler="mab")
    ),
    "serene_cma": lambda budget=1600, seed=0: Serene(
        SIZE, budget, seed=seed, settings=CHUNKS, emitting=replace(QUICK, kind="cma_es", scheduler="time_sampling")
    ),
    "serene_bare": lambda budget=1600, seed=0: Serene(
        SIZE,
        budget,
        seed=seed,
        settings=CHUNKS,
        emitting=replace(QUICK, bootstrap=False, choice="random", keep_novel=0, scheduler="fixed_sampling"),
    ),
}


def everything(evolver: Evolver, **how: Any) -> np.ndarray:
    return np.concatenate(search(evolver, **how))


# Of every search ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", MAKERS)
def test_no_search_asks_for_more_than_its_budget_and_each_spends_it(name: str) -> None:
    evolver = MAKERS[name](budget=777)
    assert len(everything(evolver)) == 777 == evolver.evaluated == sum(evolver.ledger.values())
    with pytest.raises(RuntimeError, match="budget of 777"):
        evolver.ask(1)


@pytest.mark.parametrize("name", MAKERS)
def test_a_search_does_not_depend_on_how_its_budget_is_cut(name: str) -> None:
    random = np.random.default_rng(5)
    whole = everything(MAKERS[name]())
    cut = everything(MAKERS[name](), most=lambda: int(random.integers(1, 60)))
    assert (whole == cut).all()


@pytest.mark.parametrize("name", MAKERS)
def test_a_search_goes_on_to_the_bit_from_wherever_it_was_stopped(name: str, tmp_path: Path) -> None:
    whole = MAKERS[name]()
    expected = everything(whole)
    stopped = MAKERS[name]()
    asked: list[np.ndarray] = []
    purposes = set()
    while stopped.left:  # stopped in the middle of batches and in every phase
        asked += search(stopped, most=23, until=stopped.evaluated + 50)
        purposes.add(stopped._purpose)
        stopped = resumed(stopped, MAKERS[name], tmp_path)
    assert (np.concatenate(asked) == expected).all()
    for mine, theirs in zip(stopped.elites(), whole.elites(), strict=True):
        assert (mine == theirs).all()
    assert (stopped.best() == whole.best()).all()
    assert stopped.metrics() == whole.metrics()
    if name.startswith("serene"):
        assert purposes >= {"exploration", "exploitation"}


@pytest.mark.parametrize("name", MAKERS)
def test_what_is_logged_are_finite_numbers_with_names_of_one_word(name: str) -> None:
    evolver = MAKERS[name](budget=600)
    while evolver.left:
        told = evolver.tell(play(evolver.ask(1000)))
        assert all(type(value) is float and np.isfinite(value) for value in told.values())
        assert all(key.replace("_", "").isalnum() for key in told)
    assert told["evaluations"] == 600
    assert told["best"] == play(evolver.best()[None]).rewards[0]
    assert sum(value for key, value in told.items() if key in ("budget_" + p for p in evolver.ledger)) == 600


@pytest.mark.parametrize("name", MAKERS)
def test_other_seeds_search_elsewhere_and_the_same_seed_does_not(name: str) -> None:
    first, again, other = (everything(MAKERS[name](budget=150, seed=seed)) for seed in (1, 1, 2))
    assert (first == again).all()
    assert (first != other).any()


@pytest.mark.parametrize("name", MAKERS)
def test_failures_are_counted_and_go_into_no_archive(name: str) -> None:
    evolver = MAKERS[name]()
    asked = everything(evolver, player=lambda genomes: play(genomes, lambda rows: rows[:, 0] > 0.5))
    failed = (asked[:, 0] > 0.5).sum()
    assert evolver.failed == failed > 0
    genomes, rewards, descriptors, _, _ = evolver.elites()
    assert np.isfinite(rewards).all()
    assert np.isfinite(descriptors).all()
    assert (genomes[:, 0] <= 0.5).all()
    assert evolver.best()[0] <= 0.5


@pytest.mark.parametrize("name", MAKERS)
def test_where_most_fail_the_environment_is_blamed(name: str) -> None:
    with pytest.raises(RuntimeError, match="look at what the environment answers"):
        search(MAKERS[name](), player=lambda genomes: play(genomes, lambda rows: np.arange(len(rows)) % 4 > 0))


def test_genomes_stay_within_the_bounds() -> None:
    evolver = NoveltySearch(SIZE, 400, settings=replace(SMALL, sigma=3.0), bound=1.5)
    assert np.abs(everything(evolver)).max() == 1.5


def test_the_best_is_the_first_of_the_highest_reward() -> None:
    evolver = RandomSearch(SIZE, 300)
    asked = everything(evolver)
    assert (evolver.best() == asked[np.argmax(play(asked).rewards)]).all()


def test_asking_and_telling_take_turns() -> None:
    evolver = RandomSearch(SIZE, 300)
    genomes = evolver.ask(10)
    with pytest.raises(RuntimeError, match="tell before asking"):
        evolver.ask(10)
    with pytest.raises(ValueError, match="told of 9"):
        evolver.tell(play(genomes[:9]))
    with pytest.raises(ValueError, match="most=0"):
        evolver.ask(0)


def test_wrong_shapes_are_refused() -> None:
    evolver = NoveltySearch(SIZE, 300, settings=SMALL, descriptor_size=3)
    with pytest.raises(ValueError, match="descriptors of 2 numbers: expected 3"):
        evolver.tell(play(evolver.ask(10)))
    with pytest.raises(ValueError, match=r"truths \(4, 3\)"):
        Evaluations(*(np.zeros(4), np.zeros((4, 2)), np.zeros((4, 3)), *[np.zeros(4, int)] * 2, np.zeros(4, bool)))


def test_another_length_of_genomes_is_refused() -> None:
    with pytest.raises(ValueError, match="8 genes cannot go on with 9"):
        RandomSearch(9, 10).load_state_dict(RandomSearch(8, 10).state_dict())


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda: Search(neighbours=0), "neighbours=0"),
        (lambda: Search(population=0), "population=0"),
        (lambda: Search(population=100, chunk=50), "chunk=50 is below population=100"),
        (lambda: Search(selection="novel"), "Did you mean novelty"),
        (lambda: NoveltySearch(SIZE, 10, settings=Search(selection="surprise")), "needs a learned space"),
        (lambda: Emitting(kind="cma"), "Did you mean cma_es"),
        (lambda: Emitting(scheduler="ucb"), "scheduler"),
        (lambda: Emitting(bootstrap_share=1.0), "bootstrap_share"),
        (lambda: RandomSearch(SIZE, 0), "budget=0"),
    ],
)
def test_settings_that_cannot_be_are_refused_with_what_to_do(wrong: Callable[[], Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        wrong()


# Novelty search -----------------------------------------------------------------------------------


def covered(asked: np.ndarray) -> float:
    return coverage(place(asked), LOW, HIGH, bins=20)


def test_novelty_search_covers_more_than_random_genomes() -> None:
    novel = covered(everything(MAKERS["novelty"](budget=3000)))
    assert novel > 1.3 * covered(everything(MAKERS["random"](budget=3000)))


def test_a_generation_keeps_the_most_novel_and_archives_offspring() -> None:
    evolver = NoveltySearch(SIZE, 60, settings=replace(SMALL, additions=3))
    first = evolver.ask(100)
    evolver.tell(play(first))
    second = evolver.ask(100)
    assert second.shape == (40, SIZE)
    assert np.abs(second - np.repeat(first, 2, axis=0)).max() < 0.2 * 6
    evolver.tell(play(second))
    everybody = np.concatenate([place(first), place(second)])
    scores = novelty_scores(everybody, everybody)
    assert set(evolver.population.ids) == set(np.argsort(-scores)[:20])
    assert len(evolver.archive) == 3
    assert (evolver.archive.members.ids >= 20).all()


def test_archives_double_and_keep_their_order() -> None:
    evolver = MAKERS["novelty"](budget=3020)
    search(evolver)
    assert isinstance(evolver, NoveltySearch)
    assert len(evolver.archive) == 75 * 5
    assert (np.diff(evolver.archive.members.ids.reshape(75, 5).min(axis=1)) > 0).all()


def test_fronts_of_novelty_and_reward_keep_who_is_paid_most() -> None:
    evolver = MAKERS["nsga2"](budget=3000)
    search(evolver)
    assert isinstance(evolver, NoveltySearch)
    assert evolver.best() in evolver.population.genomes


# SERENE -------------------------------------------------------------------------------------------


def test_serene_finds_both_areas_and_improves_them() -> None:
    evolver = Serene(
        SIZE, 8000, seed=5, settings=replace(SMALL, population=50, chunk=500), emitting=Emitting(window=40)
    )
    search(evolver)
    assert min(evolver.areas[0], evolver.areas[1]) > 0.97
    plain = NoveltySearch(SIZE, 8000, seed=5, settings=replace(SMALL, population=50, chunk=500))
    search(plain)
    assert min(evolver.areas.values()) > min(plain.areas.values())
    assert evolver.spent.keys() == {0, 1}
    assert sum(evolver.spent.values()) == evolver.ledger["bootstrap"] + evolver.ledger["exploitation"]


def test_a_chunk_tries_eleven_candidates_and_the_rest_wait() -> None:
    """6 + 5 · 12 evaluations each, while more than a third of 1000 is left."""

    def paid(genomes: np.ndarray) -> Evaluations:
        return Evaluations(**vars(play(genomes)) | {"rewards": np.full(len(genomes), 0.5)})

    evolver = Serene(SIZE, 5000)
    search(evolver, player=paid, until=1100)
    assert evolver.ledger == {"exploration": 1100}
    waiting = len(evolver.candidates)
    assert waiting == len(evolver.rewarded) > 100
    search(evolver, player=paid, until=1100 + 726)
    assert evolver.ledger == {"exploration": 1100, "bootstrap": 726}
    assert len(evolver.candidates) == waiting - 11
    assert evolver.dropped == 11, "a flat reward never improves"
    search(evolver, player=paid, until=1826 + 1000)
    assert evolver.ledger == {"exploration": 2100, "bootstrap": 726}, "nobody was left to exploit"


def test_exploitation_costs_nothing_where_nothing_was_found() -> None:
    def unpaid(genomes: np.ndarray) -> Evaluations:
        return Evaluations(**vars(play(genomes)) | {"rewards": np.zeros(len(genomes))})

    evolver = MAKERS["serene"]()
    search(evolver, player=unpaid)
    assert evolver.ledger == {"exploration": 1600}


def test_everybody_who_is_paid_becomes_a_candidate_once() -> None:
    evolver = MAKERS["serene"](budget=4000)
    assert isinstance(evolver, Serene)
    search(evolver)
    ids = evolver.rewarded.members.ids
    assert len(np.unique(ids)) == len(ids)
    assert (evolver.rewarded.members.rewards > 0).all()
    assert evolver.started + evolver.dropped + len(evolver.candidates) + len(evolver.trying) <= len(ids)
    assert evolver.retired > 0
    assert evolver.retired + len(evolver.emitters) == evolver.started


def test_small_negative_pay_needs_a_threshold() -> None:
    def costly(genomes: np.ndarray) -> Evaluations:
        return Evaluations(**vars(play(genomes)) | {"rewards": play(genomes).rewards + 1.0})

    evolver = Serene(SIZE, 600, settings=SMALL, emitting=replace(QUICK, threshold=1.0))
    search(evolver, player=costly)
    assert (evolver.rewarded.members.rewards > 1.0).all()
    assert len(evolver.rewarded) < 600


def test_a_cut_bootstrap_is_dealt_with() -> None:
    """The budget ends at every moment of a chunk once."""
    reference = everything(MAKERS["serene"](budget=1000))
    for budget in range(80, 1000, 61):
        evolver = MAKERS["serene"](budget=budget)
        assert (everything(evolver) == reference[:budget]).all()
        evolver.elites()


def test_emitters_of_novelty_go_to_where_nobody_was() -> None:
    settings = replace(SMALL, chunk=200)
    novel, fit = (
        everything(Serene(SIZE, 3000, seed=1, settings=settings, emitting=Emitting(kind=kind, window=30)))
        for kind in ("novelty", "fitness")
    )
    assert covered(novel) > covered(fit)
