"""Who decides on the next chunk, and that what is decided is what is spent."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from agents.quality_diversity.emitters import Emitter, Emitting
from agents.quality_diversity.members import Members
from agents.quality_diversity.novelty_search import Search
from agents.quality_diversity.schedulers import EXPLOIT, EXPLORE, SCHEDULERS, make_scheduler
from agents.quality_diversity.serene import Serene
from tests.agents.quality_diversity.plane import SIZE, play, search


def choices(name: str, chunks: int, worth=lambda kind: (0, 0), left=lambda chunk: 1.0) -> list[str]:
    scheduler, random = make_scheduler(name), np.random.default_rng(0)
    made = []
    for chunk in range(chunks):
        made.append(scheduler.choose(random, left(chunk)))
        scheduler.learn(made[-1], *worth(made[-1]))
    return made


def test_alternating_takes_turns() -> None:
    assert choices("alternating", 4) == [EXPLORE, EXPLOIT, EXPLORE, EXPLOIT]


def test_fixed_sampling_is_a_coin_and_time_sampling_explores_while_there_is_time() -> None:
    assert 0.45 < choices("fixed_sampling", 2000).count(EXPLORE) / 2000 < 0.55
    timed = choices("time_sampling", 2000, left=lambda chunk: 1 - chunk / 2000)
    assert timed[:1000].count(EXPLORE) > 700
    assert timed[1000:].count(EXPLORE) < 300


def test_the_bandit_prefers_what_pays_and_still_tries_the_other() -> None:
    finding = Counter(choices("mab", 300, worth=lambda kind: (0, 3) if kind == EXPLORE else (3, 3)))
    ending = Counter(choices("mab", 300, worth=lambda kind: (3, 3) if kind == EXPLORE else (3, 0)))
    assert finding[EXPLORE] > 230
    assert ending[EXPLOIT] > 230
    assert min(finding[EXPLOIT], ending[EXPLORE]) > 2


def test_the_bandits_first_choice_is_what_it_never_tried() -> None:
    scheduler, random = make_scheduler("mab"), np.random.default_rng(0)
    for _ in range(50):  # it explored while there was nothing else to do
        scheduler.learn(EXPLORE, 0, 9)
    assert scheduler.choose(random, 1.0) == EXPLOIT


def test_an_unknown_scheduler_is_refused() -> None:
    with pytest.raises(ValueError, match="expected one of alternating"):
        make_scheduler("roundrobin")


@pytest.mark.parametrize("name", SCHEDULERS)
@pytest.mark.parametrize("kind", ["fitness", "cma_es"])
def test_shares_of_the_budget_are_what_was_chosen_whatever_the_emitters_batch(name: str, kind: str) -> None:
    """A step of one kind is 12 evaluations, of the other 6; a chunk is 300 of either."""
    emitting = Emitting(kind=kind, scheduler=name, window=10_000, bootstrap=False)
    evolver = Serene(SIZE, 8000, settings=Search(population=20, chunk=300, sigma=0.2), emitting=emitting)
    search(evolver, player=lambda genomes: play(genomes, radius=0.4))
    chunks = evolver.scheduler.chunks
    assert min(chunks.values()) > 0
    explored, exploited = evolver.ledger[EXPLORE], evolver.ledger[EXPLOIT]
    if kind == "fitness":
        assert exploited == pytest.approx(300 * chunks[EXPLOIT], abs=300)
    else:  # a covariance may have come to its end, and then the chunk
        assert exploited <= 300 * (chunks[EXPLOIT] + 1)
    assert explored == pytest.approx(320 * chunks[EXPLORE] + 20, abs=320)


BATCHES = {2: "fitness", 6: "cma_es", 9: "novelty", 25: "fitness"}
"""Members of an emitter -> its kind: steps of 4, 6, 18 and 50 evaluations."""


@pytest.mark.parametrize("members", BATCHES)
def test_what_the_bandit_chooses_costs_a_chunk_whatever_the_emitters_batch(members: int) -> None:
    """Of two arms with batches of 40 and of 4 to 50, neither gets more than it was chosen for."""
    emitting = Emitting(kind=BATCHES[members], population=members, scheduler="mab", window=10_000, bootstrap=False)
    evolver = Serene(SIZE, 9000, settings=Search(population=20, chunk=300, sigma=0.2), emitting=emitting)
    begun: list[tuple[str, int]] = []
    choose = evolver.scheduler.choose

    def noted(random: np.random.Generator, left: float) -> str:
        begun.append((choose(random, left), evolver.evaluated))
        return begun[-1][0]

    evolver.scheduler.choose = noted  # type: ignore[method-assign]
    search(evolver, player=lambda genomes: play(genomes, radius=0.4))
    spent: Counter[str] = Counter()
    for (kind, start), (_, end) in pairwise(begun):
        step = 40 if kind == EXPLORE else emitting.batch
        ended_early = kind == EXPLOIT and emitting.kind == "cma_es" and end - start < 300
        assert 300 <= end - start < 300 + step or ended_early, kind
        spent[kind] += end - start
    chosen = Counter(kind for kind, _ in begun[:-1])
    assert min(chosen.values()) >= 2, "of 27 or so UCB1 gives ln 27 / (1 + ε)² to an arm that is worth 1 less"
    if emitting.kind != "cma_es":
        share = spent[EXPLOIT] / sum(spent.values())
        assert share == pytest.approx(chosen[EXPLOIT] / len(begun[:-1]), abs=0.06)


def test_an_arm_that_was_worth_nothing_at_first_is_tried_again_and_wins_when_it_pays() -> None:
    scheduler, random = make_scheduler("mab"), np.random.default_rng(0)
    made = []
    for chunk in range(400):
        kind = scheduler.choose(random, 1.0)
        made.append(kind)
        found = (0, 3) if kind == EXPLORE else (3, 0 if chunk >= 100 else 3)
        scheduler.learn(kind, *(found if kind == EXPLOIT or chunk < 100 else (0, 0)))
    assert made[0] == EXPLOIT, "it is new"
    assert 3 <= made[:100].count(EXPLOIT) < 30
    assert made[-100:].count(EXPLOIT) > 70


def test_an_emitter_is_judged_by_steps_that_it_had_before_it_waits_for_a_turn() -> None:
    """Who is new has improved in its bootstrap: it is no 0 among those that had time to improve."""
    emitting = Emitting(window=10_000, scheduler="mab")
    evolver = Serene(SIZE, 9000, settings=Search(population=20, chunk=300, sigma=0.2), emitting=emitting)
    fresh: list[Emitter] = []
    while evolver.left:
        evolver.tell(play(evolver.ask(1000), radius=0.4))
        fresh += [emitter for emitter in evolver.emitters if emitter.steps == emitting.bootstrap_steps]
    assert len({id(emitter) for emitter in fresh}) > 5
    assert all(emitter.improvement > 0 for emitter in fresh)


# An emitter ---------------------------------------------------------------------------------------


def members(genomes: np.ndarray, rewards: list[float], novelty: list[float] | None = None) -> Members:
    n = len(genomes)
    nobody = Members.nobody(genomes.shape[1], 2)
    columns = {name: np.zeros((n, *value.shape[1:]), value.dtype) for name, value in vars(nobody).items()}
    told = {"genomes": genomes, "rewards": np.array(rewards), "novelty": np.array(novelty or [0.0] * n)}
    return Members(**columns | told)


def emitter(**settings) -> Emitter:
    made = Emitter(Emitting(population=2, **settings), 0, np.zeros(3), 0.1, 5.0, Members.nobody(3, 2))
    made.most_novel = members(np.zeros((1, 3)), [1.0], [2.0])
    return made


def test_an_emitter_keeps_the_best_of_parents_and_children() -> None:
    made, random = emitter(), np.random.default_rng(0)
    first = made.ask(random)
    assert first.shape == (2, 3)
    made.tell(first, np.array([1.0, 5.0]), members(first, [1.0, 5.0]))
    children = made.ask(random)
    assert children.shape == (4, 3)
    rewards = [0.0, 3.0, 2.0, 5.0]
    made.tell(children, np.array(rewards), members(children, rewards))
    assert made.population.rewards.tolist() == [5.0, 5.0]
    assert (made.population.genomes[0] == first[1]).all(), "among equals who was there first"
    assert np.array(made.values).tolist() == [[5.0, 1.0], [5.0, 5.0]]
    assert made.steps == 1


def test_what_an_emitter_archives_gets_better_every_time() -> None:
    made = emitter()
    genomes = np.zeros((2, 3))
    made.tell(genomes, np.array([0.0, -1.0]), members(genomes, [0.0, -1.0]))
    assert len(made.worth_archiving()) == 0, "nothing was paid yet"
    made.tell(genomes, np.array([1.0, 2.0]), members(genomes, [1.0, 2.0]))
    assert made.worth_archiving().rewards.tolist() == [2.0]
    assert len(made.worth_archiving()) == 0
    made.tell(genomes, np.array([3.0, 4.0]), members(genomes, [3.0, 4.0]))
    assert made.worth_archiving().rewards.tolist() == [4.0, 3.0]


def test_an_emitter_remembers_who_is_more_novel_than_all_before() -> None:
    made = emitter()
    made.notice(members(np.zeros((3, 3)), [0.0] * 3, [1.0, 2.0, 2.5]))
    made.notice(members(np.zeros((3, 3)), [0.0] * 3, [2.4, 2.6, 3.0]))
    assert [buffered.novelty.tolist() for buffered in made.buffer] == [[2.5], [2.6, 3.0]]
    assert made.most_novel.novelty.tolist() == [3.0]


def test_failures_are_worth_what_the_worst_is_and_an_emitter_of_failures_improves_nothing() -> None:
    made = emitter()
    genomes = np.zeros((2, 3))
    made.tell(genomes, np.array([-np.inf, 2.0]), members(genomes[1:], [2.0]))
    assert np.array(made.values).tolist() == [[2.0, 2.0]]
    lost = emitter()
    for _ in range(6):
        lost.tell(genomes, np.full(2, -np.inf), members(genomes[:0], []))
    lost.judge()
    assert lost.improvement == 0.0
    assert lost.ask(np.random.default_rng(0)).shape == (2, 3)


def test_an_emitter_stops_at_its_window_or_its_limit() -> None:
    flat = emitter(window=10)
    limited = replace(flat.settings, window=None, max_steps=3)
    for steps in range(12):
        assert flat.has_stopped(94) == (steps > 10)
        flat.tell(np.zeros((2, 3)), np.zeros(2), members(np.zeros((2, 3)), [0.0, 0.0]))
    assert flat.has_stopped(94)
    flat.settings = limited
    assert flat.has_stopped(94)
    flat.values = flat.values[:3]
    assert not flat.has_stopped(94)
