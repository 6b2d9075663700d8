"""Behaviour spaces learned from images, and the searches in them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from agents.quality_diversity.autoencoder import PIXELS, Autoencoder, parameters
from agents.quality_diversity.coverage import coverage
from agents.quality_diversity.emitters import Emitting
from agents.quality_diversity.evaluations import Evaluations
from agents.quality_diversity.evolver import Evolver
from agents.quality_diversity.learned_space import LearnedSpace, Learning
from agents.quality_diversity.novelty_search import NoveltySearch, Search
from agents.quality_diversity.serene import Serene
from agents.quality_diversity.stax import Stax
from agents.quality_diversity.taxons import Taxons, Taxons2020
from tests.agents.quality_diversity.plane import SIZE, draw, place, play, play_and_draw, resumed, search

BRIEF = Learning(epochs=2)
SMALL = Search(population=20, chunk=60, sigma=0.2, selection="random_choice")
QUICK = Emitting(window=8, bootstrap_steps=3)

MAKERS: dict[str, Callable[..., Evolver]] = {
    "taxons": lambda budget=400: Taxons(SIZE, budget, settings=SMALL, learning=BRIEF),
    "taxons_2020": lambda budget=400: Taxons2020(
        SIZE, budget, population=20, novelty_first=3, every=4, learning=replace(BRIEF, patience=False)
    ),
    "stax": lambda budget=800: Stax(
        SIZE, budget, settings=replace(SMALL, chunk=150), emitting=QUICK, learning=BRIEF, seed=1
    ),
    "stax_pareto": lambda budget=800: Stax(
        SIZE,
        budget,
        settings=replace(SMALL, chunk=150, selection="novelty_surprise"),
        emitting=replace(QUICK, kind="novelty"),
        learning=replace(BRIEF, reset=True, most_views=50),
        seed=1,
    ),
}


def images(n: int, seed: int = 0, frames: int = 1) -> np.ndarray:
    return draw(np.random.default_rng(seed).normal(size=(n, SIZE)) * 2, frames)


# Networks -----------------------------------------------------------------------------------------


def test_networks_have_the_sizes_of_the_published_code() -> None:
    assert parameters(Autoencoder("stax")) == 156_189
    assert parameters(Autoencoder("taxons")) == 1_991_680


@pytest.mark.parametrize("network", PIXELS)
def test_networks_give_codes_and_images_back(network: str) -> None:
    made = Autoencoder(network, code=7)
    shown = torch.rand(2, 3, made.pixels, made.pixels)
    codes, again = made(shown)
    assert codes.shape == (2, 7)
    assert again.shape == shown.shape
    assert float(again.detach().min()) >= 0.0


# A space ------------------------------------------------------------------------------------------


def test_training_makes_images_less_surprising_and_those_never_seen_more_so() -> None:
    space = LearnedSpace(Learning(epochs=15, batch=16))
    views = images(100)
    before = space.encode(views)[1].mean()
    space.train([views[:70], views[70:]])
    after = space.encode(views)[1].mean()
    assert after < 0.7 * before
    strange = 255 - views
    assert space.encode(strange)[1].mean() > 2 * after


def test_a_space_is_decided_by_its_seed_and_goes_on_from_a_state() -> None:
    first, second, third = (LearnedSpace(BRIEF, seed=seed) for seed in (0, 0, 1))
    for space in (first, second):
        space.train([images(40)])
    third.load_state_dict(first.state_dict())
    for space in (first, second, third):
        space.train([images(40, 1)])
    codes = [space.encode(images(5, 2))[0] for space in (first, second, third)]
    assert (codes[0] == codes[1]).all()
    assert (codes[0] == codes[2]).all()
    assert (LearnedSpace(BRIEF, seed=1).encode(images(5, 2))[0] != codes[0]).any()


def test_codes_of_several_frames_are_joined_and_their_errors_summed() -> None:
    one, three = LearnedSpace(BRIEF), LearnedSpace(replace(BRIEF, frames=3))
    views = images(4, frames=3)
    codes, errors = three.encode(views)
    singles = [one.encode(views[:, frame : frame + 1]) for frame in range(3)]
    assert codes == pytest.approx(np.concatenate([code for code, _ in singles], axis=1), abs=1e-6)
    assert errors == pytest.approx(sum(error for _, error in singles), abs=1e-6)
    assert three.size == 30
    assert three.view == (3, 32, 32, 3)


def test_encoding_a_single_one_is_encoding_it_among_others() -> None:
    space = LearnedSpace()
    views = images(600)
    codes, errors = space.encode(views)
    alone, error = space.encode(views[550:551])
    assert alone[0] == pytest.approx(codes[550], abs=1e-5)
    assert error[0] == pytest.approx(errors[550], abs=1e-6)
    nobody, nothing = space.encode(views[:0])
    assert nobody.shape == (0, 10)
    assert nothing.shape == (0,)


def test_trainings_fall_due_after_chunks_1_3_6_10_15() -> None:
    space = LearnedSpace()
    assert [chunk for chunk in range(1, 22) if space.is_due(chunk)] == [1, 3, 6, 10, 15, 21]
    assert not LearnedSpace(Learning(training=False)).is_due(1)


def test_a_training_ends_at_the_fourth_error_above_the_best_and_looks_from_the_second_epoch(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    errors = iter([5.0, 3.0, 4.0, 2.0, 3.0, 3.0, 3.0, 3.0, 1.0])
    monkeypatch.setattr(LearnedSpace, "_error", lambda self, images, rows: next(errors))
    space = LearnedSpace(Learning(epochs=50))
    space.train([images(10)])
    assert space.last["ae_epochs"] == 9
    assert next(errors) == 1.0


def test_without_patience_all_images_are_learned_from_in_all_epochs() -> None:
    space = LearnedSpace(Learning(epochs=3, patience=False))
    space.train([images(10)])
    assert space.last["ae_epochs"] == 3
    assert "ae_validation" not in space.last


def test_a_training_that_diverges_is_taken_back() -> None:
    space = LearnedSpace(Learning(epochs=3, rate=1e30))
    before = space.encode(images(5))[0]
    space.train([images(40)])
    assert space.last == {"ae_diverged": 1.0}
    assert (space.encode(images(5))[0] == before).all()


def test_a_space_that_falls_together_is_told_of_once_and_selection_is_at_random() -> None:
    evolver = MAKERS["taxons"]()
    assert isinstance(evolver, NoveltySearch)
    assert evolver.space is not None
    search(evolver, player=play_and_draw, until=60)
    with torch.no_grad():
        for layer in evolver.space.network.encoder.parameters():
            layer.zero_()
    shown = images(20)
    with pytest.warns(UserWarning, match="the same code"):
        evolver.space._look_for_collapse(shown[:, 0])
    evolver.space._look_for_collapse(shown[:, 0])
    assert evolver.space.collapsed
    evolver.embed_again()
    assert (evolver.population.novelty == 0).all()
    parents = set(evolver.population.ids)
    search(evolver, player=play_and_draw, until=100)
    assert 0 < len(parents & set(evolver.population.ids)) < 20, "ties would all fall to the parents"
    assert "fell together" in str(evolver.closing_remark())


def test_images_that_are_all_the_same_are_no_collapse() -> None:
    space = LearnedSpace(BRIEF)
    space.train([np.repeat(images(1), 30, axis=0)])
    assert not space.collapsed


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda: Learning(network="big"), "network"),
        (lambda: Learning(frames=0), "frames=0"),
        (lambda: Learning(rate=0.0), "rate=0"),
        (lambda: Taxons2020(SIZE, 10, selection="novelty_surprise"), "selection"),
    ],
)
def test_settings_that_cannot_be_are_refused(wrong: Callable[[], Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        wrong()


# Searches in it -----------------------------------------------------------------------------------


def groups(state: Any) -> Iterator[dict[str, Any]]:
    """Every group of individuals in a state."""
    if isinstance(state, dict):
        if "views" in state and "descriptors" in state and "ids" in state:
            yield state
        for value in state.values():
            yield from groups(value)
    elif isinstance(state, list):
        for value in state:
            yield from groups(value)


@pytest.mark.parametrize("name", [name for name in MAKERS if name != "taxons_2020"])
def test_after_a_training_nothing_of_the_old_space_is_left(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    evolver = MAKERS[name](budget=1500)
    assert isinstance(evolver, NoveltySearch)
    if isinstance(evolver, Serene):
        evolver.emitting = replace(evolver.emitting, window=100)  # so that some are there when it trains
    looked_at = []

    def look(self: NoveltySearch, embed_again: Callable[[NoveltySearch], None]) -> None:
        embed_again(self)
        kept = list(groups(self.search_state()))
        for group in kept:
            codes, errors = self.space.encode(group["views"])
            assert codes == pytest.approx(group["descriptors"], abs=1e-5)
            assert errors == pytest.approx(group["surprise"], abs=1e-5)
        looked_at.append(len(kept))

    kind = type(evolver)
    monkeypatch.setattr(kind, "embed_again", partial_method(look, kind.embed_again))
    search(evolver, player=play_and_draw)
    assert len(looked_at) >= 2
    if isinstance(evolver, Serene):
        assert max(looked_at) > 4, "there were emitters to encode anew"


def partial_method(function: Callable[..., None], original: Callable[..., None]) -> Any:
    return lambda self: function(self, original)


def test_the_first_version_encodes_its_archive_anew() -> None:
    evolver = MAKERS["taxons_2020"]()
    search(evolver, player=play_and_draw, until=160)
    assert isinstance(evolver, Taxons2020)
    assert evolver.space.trainings == 2
    kept = evolver.archive.members
    assert len(kept) > 5
    assert len(np.unique(kept.ids)) == len(kept)
    assert evolver.space.encode(kept.views)[0] == pytest.approx(kept.descriptors, abs=1e-5)


@pytest.mark.parametrize("name", MAKERS)
def test_it_spends_its_budget_however_that_is_cut_and_goes_on_to_the_bit(name: str, tmp_path: Path) -> None:
    whole = MAKERS[name]()
    expected = np.concatenate(search(whole, player=play_and_draw, most=40))
    stopped, asked, purposes = MAKERS[name](), [], set()
    while stopped.left:
        asked += search(stopped, most=17, player=play_and_draw, until=stopped.evaluated + 40)
        purposes.add(stopped._purpose)
        stopped = resumed(stopped, MAKERS[name], tmp_path)
    assert (np.concatenate(asked) == expected).all()
    for mine, theirs in zip(stopped.elites(), whole.elites(), strict=True):
        assert (mine == theirs).all()
    assert stopped.metrics() == whole.metrics()
    assert whole.metrics()["ae_trainings"] >= 2
    if name.startswith("stax"):
        assert purposes == {"exploration", "bootstrap", "exploitation"}


def test_views_of_another_shape_are_refused() -> None:
    evolver = MAKERS["taxons"]()
    with pytest.raises(ValueError, match=r"this learned space is of \(1, 32, 32, 3\)"):
        evolver.tell(play_and_draw(evolver.ask(10), frames=2))
    with pytest.raises(ValueError, match="views of the shape None"):
        evolver.tell(play(evolver.ask(10)) if not evolver._asked else play(np.zeros((10, SIZE))))


@pytest.mark.parametrize("name", MAKERS)
def test_who_failed_is_not_looked_at(name: str) -> None:
    def failing(genomes: np.ndarray):
        shown = play_and_draw(genomes)
        return type(shown)(**vars(shown) | {"failed": genomes[:, 0] > 0.5})

    evolver = MAKERS[name]()
    asked = np.concatenate(search(evolver, player=failing))
    assert evolver.failed == (asked[:, 0] > 0.5).sum() > 0
    genomes, _, descriptors, _, _ = evolver.elites()
    assert (genomes[:, 0] <= 0.5).all()
    assert np.isfinite(descriptors).all()


def test_taxons_covers_more_than_descriptors_that_say_nothing() -> None:
    def nothing(genomes: np.ndarray) -> Evaluations:
        drawn = np.random.default_rng(int(abs(genomes[0, 0]) * 1e6)).random((len(genomes), 10))
        return Evaluations(**vars(play(genomes)) | {"descriptors": drawn})

    settings = replace(SMALL, chunk=200, sigma=0.3)
    blind = NoveltySearch(SIZE, 1600, settings=replace(settings, selection="novelty"), descriptor_size=10)
    seeing = Taxons(SIZE, 1600, settings=settings, learning=replace(BRIEF, epochs=4))
    found = [
        coverage(place(np.concatenate(search(evolver, player=player))), -np.ones(2), np.ones(2), bins=10)
        for evolver, player in ((seeing, play_and_draw), (blind, nothing))
    ]
    assert found[0] > 1.2 * found[1]


def test_several_frames_make_a_longer_descriptor() -> None:
    evolver = Taxons(SIZE, 60, settings=SMALL, learning=replace(BRIEF, frames=2))
    search(evolver, player=partial(play_and_draw, frames=2))
    assert evolver.elites()[2].shape[1] == 20
