"""Novelty, fronts, signatures, coverage, improvement: against closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest

from agents.quality_diversity.coverage import coverage, uniformity
from agents.quality_diversity.fronts import crowding_distance, front_order, pareto_fronts
from agents.quality_diversity.improvement import emitter_sigma, improvement, patience, stagnated
from agents.quality_diversity.novelty import local_competition, novelty_scores
from agents.quality_diversity.signatures import (
    log_signature,
    log_signature_size,
    lyndon_words,
    path_signature,
    signature_size,
)

# Novelty ------------------------------------------------------------------------------------------


def all_distances(queries, reference, k, first):
    distances = np.sort(np.linalg.norm(queries[:, None] - reference[None], axis=2), axis=1)
    return distances[:, first : k + first].mean(axis=1)


@pytest.mark.parametrize("dimensions", [1, 2, 10, 63])
@pytest.mark.parametrize("exclude_self", [True, False])
def test_novelty_is_the_mean_distance_to_the_nearest(dimensions: int, exclude_self: bool) -> None:
    reference = np.random.default_rng(0).normal(size=(200, dimensions))
    scores = novelty_scores(reference[:50], reference, k=15, exclude_self=exclude_self)
    assert scores == pytest.approx(all_distances(reference[:50], reference, 15, int(exclude_self)), abs=1e-12)


@pytest.mark.parametrize("dimensions", [2, 63])
def test_fewer_than_k_neighbours_are_averaged_over_those_there_are(dimensions: int) -> None:
    reference = np.zeros((3, dimensions))
    reference[1, 0], reference[2, 0] = 1.0, 3.0
    assert novelty_scores(reference, reference) == pytest.approx([2.0, 1.5, 2.5])
    assert novelty_scores(reference[:1], reference[:1]).tolist() == [0.0]
    assert novelty_scores(reference[:1], reference[:0], exclude_self=False).tolist() == [0.0]


def test_many_equal_behaviours_are_no_novelty_and_no_trouble() -> None:
    reference = np.tile([0.3, 0.7], (20000, 1))
    assert (novelty_scores(reference[:300], reference) == 0).all()


def test_the_blocks_of_many_dimensions_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    reference = np.random.default_rng(1).normal(size=(40, 20))
    whole = novelty_scores(reference, reference)
    monkeypatch.setattr("agents.quality_diversity.novelty.BLOCK", 100)
    assert novelty_scores(reference, reference) == pytest.approx(whole, abs=1e-12)


def test_novelty_refuses_what_it_cannot_measure() -> None:
    good = np.zeros((2, 2))
    with pytest.raises(ValueError, match="k=0"):
        novelty_scores(good, good, k=0)
    with pytest.raises(ValueError, match="leave failed individuals out"):
        novelty_scores(good, np.array([[np.nan, 0.0]]))
    with pytest.raises(ValueError, match="descriptors of the same kind"):
        novelty_scores(good, np.zeros((2, 3)))
    with pytest.raises(ValueError, match="expected \\(individuals, descriptor\\)"):
        novelty_scores(np.zeros(2), good)


def test_local_competition_counts_the_neighbours_that_are_outdone() -> None:
    line = np.arange(5.0)[:, None]
    rewards = np.array([0.0, 5.0, 1.0, 2.0, 3.0])
    assert local_competition(line, rewards, line, rewards, k=2).tolist() == [0.0, 2.0, 0.0, 1.0, 2.0]


# Fronts -------------------------------------------------------------------------------------------


def peeled(objectives):
    """Fronts by the definition."""
    left, fronts, front = set(range(len(objectives))), np.zeros(len(objectives), int), 0
    while left:
        free = {
            i
            for i in left
            if not any((objectives[j] >= objectives[i]).all() and (objectives[j] > objectives[i]).any() for j in left)
        }
        fronts[list(free)] = front
        left, front = left - free, front + 1
    return fronts


@pytest.mark.parametrize("objectives", [1, 2, 3])
def test_fronts_are_those_that_peeling_finds(objectives: int) -> None:
    random = np.random.default_rng(objectives)
    for values in (random.normal(size=(60, objectives)), random.integers(0, 4, size=(60, objectives)).astype(float)):
        values[0, 0] = -np.inf
        assert (pareto_fronts(values) == peeled(values)).all()


def test_crowding_is_the_box_between_the_neighbours_and_infinite_at_the_ends() -> None:
    front = np.array([[0.0, 4.0], [1.0, 3.0], [3.0, 1.0], [4.0, 0.0]])
    assert crowding_distance(front).tolist() == [np.inf, 1.5, 1.5, np.inf]
    flat = np.array([[0.0, 1.0], [1.0, 1.0], [4.0, 1.0]])
    assert crowding_distance(flat).tolist() == [np.inf, 1.0, np.inf]


def test_the_best_come_by_front_and_then_where_it_is_empty() -> None:
    values = np.array([[1.0, 1.0], [0.0, 9.0], [5.0, 5.0], [5.2, 4.9], [9.0, 0.0], [0.5, 0.5]])
    order = front_order(values)
    assert set(order[:2]) == {1, 4}
    assert set(order[2:4]) == {2, 3}
    assert order[4:].tolist() == [0, 5]


def test_fronts_refuse_nan() -> None:
    with pytest.raises(ValueError, match="without NaN"):
        pareto_fronts(np.array([[np.nan, 1.0]]))


# Signatures ---------------------------------------------------------------------------------------


def levels(flat, d, level):
    ends = np.cumsum([d**k for k in range(1, level + 1)])
    return [np.ones(1), *np.split(flat, ends[:-1])]


@pytest.mark.parametrize("d", [1, 2, 3])
def test_a_straight_line_has_the_exponential_of_its_step_however_it_is_cut(d: int) -> None:
    step = np.arange(1.0, d + 1)
    parts = levels(path_signature(np.array([0 * step, 0.1 * step, 0.7 * step, step]), 4), d, 4)
    expected = np.ones(1)
    for k in range(1, 5):
        expected = np.multiply.outer(expected, step).ravel() / k
        assert parts[k] == pytest.approx(expected, abs=1e-12)


def test_joined_paths_multiply_as_chen_says() -> None:
    path = np.random.default_rng(0).normal(size=(12, 2))
    first, second, whole = (levels(path_signature(part, 5), 2, 5) for part in (path[:6], path[5:], path))
    for k in range(6):
        product = sum(np.multiply.outer(first[j], second[k - j]).ravel() for j in range(k + 1))
        assert whole[k] == pytest.approx(product, abs=1e-10)


def test_products_of_integrals_are_sums_over_shuffles() -> None:
    _, one, two, three, _ = levels(path_signature(np.random.default_rng(1).normal(size=(9, 2)), 4), 2, 4)
    two, three = two.reshape(2, 2), three.reshape(2, 2, 2)
    assert one[0] * one[1] == pytest.approx(two[0, 1] + two[1, 0])
    assert one[0] * two[0, 1] == pytest.approx(2 * three[0, 0, 1] + three[0, 1, 0])


def test_the_levy_area_is_what_a_loop_encloses() -> None:
    angles = np.linspace(0, 2 * np.pi, 401)
    circle = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    assert log_signature(circle, 2) == pytest.approx([0, 0, 200 * math.sin(2 * np.pi / 400)], abs=1e-9)
    assert log_signature(circle[::-1], 2)[2] == pytest.approx(-log_signature(circle, 2)[2])


def test_a_way_there_and_back_tells_nothing_and_a_line_has_only_its_step() -> None:
    path = np.random.default_rng(2).normal(size=(7, 3))
    assert path_signature(np.concatenate([path, path[::-1]]), 4) == pytest.approx(0, abs=1e-9)
    logarithm = log_signature(np.array([[0.0, 0.0], [2.0, 3.0]]), 5)
    assert logarithm[:2].tolist() == [2.0, 3.0]
    assert logarithm[2:] == pytest.approx(0, abs=1e-12)


def test_the_logarithm_of_two_steps_is_baker_campbell_hausdorff() -> None:
    """log(e^X e^Y) = X + Y + [X,Y]/2 + [X,[X,Y]]/12 + [Y,[Y,X]]/12: at words xy, xxy, xyy."""
    assert log_signature(np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0]]), 3) == pytest.approx(
        [1, 1, 0.5, 1 / 12, 1 / 12]
    )


@pytest.mark.parametrize(("d", "level", "full", "short"), [(2, 2, 6, 3), (2, 5, 62, 14), (3, 5, 363, 80)])
def test_sizes_are_those_of_the_thesis(d: int, level: int, full: int, short: int) -> None:
    paths = np.random.default_rng(0).normal(size=(4, 6, d))
    assert path_signature(paths, level).shape == (4, full) == (4, signature_size(d, level))
    assert log_signature(paths, level).shape == (4, short) == (4, log_signature_size(d, level))
    assert path_signature(paths, level)[2] == pytest.approx(path_signature(paths[2], level))


def test_lyndon_words_come_before_their_rotations() -> None:
    assert lyndon_words(2, 3) == ([0, 1], [1], [1, 3])  # x y, xy, xxy xyy


def test_signatures_refuse_level_zero_and_nan() -> None:
    with pytest.raises(ValueError, match="level=0"):
        path_signature(np.zeros((3, 2)), 0)
    with pytest.raises(ValueError, match="NaN"):
        path_signature(np.full((3, 2), np.nan), 2)
    with pytest.raises(ValueError, match="times, d"):
        log_signature(np.zeros(3), 2)


# Coverage -----------------------------------------------------------------------------------------

LOW, HIGH = np.zeros(2), np.ones(2)


def test_coverage_counts_cells_and_clips_what_lies_beyond() -> None:
    points = np.array([[0.1, 0.1], [0.15, 0.1], [0.99, 2.0], [np.nan, 0.0], [0.5, -3.0]])
    assert coverage(points, LOW, HIGH, bins=10) == pytest.approx(3 / 100)
    assert coverage(points[:0], LOW, HIGH) == 0.0


def test_uniformity_is_one_for_an_even_spread_and_known_for_a_single_cell() -> None:
    centres = (np.stack(np.meshgrid(np.arange(4), np.arange(4)), axis=-1).reshape(-1, 2) + 0.5) / 4
    assert uniformity(centres, LOW, HIGH, bins=4) == pytest.approx(1.0)
    p, q = 1.0, 1 / 16
    m = (p + q) / 2
    divergence = (math.log(p / m) + q * math.log(q / m) + 15 * q * math.log(2)) / 2
    assert uniformity(centres[:1], LOW, HIGH, bins=4) == pytest.approx(1 - math.sqrt(divergence))


def test_a_grid_that_is_empty_is_refused() -> None:
    with pytest.raises(ValueError, match="high must be above low"):
        coverage(np.zeros((1, 2)), LOW, LOW)
    with pytest.raises(ValueError, match="no points"):
        uniformity(np.zeros((0, 2)), LOW, HIGH)


# Emitters -----------------------------------------------------------------------------------------


def test_an_emitter_reaches_a_third_of_the_way_to_the_nearest() -> None:
    genome, others = np.zeros(4), np.array([[3.0, 0, 0, 0], [0, 6.0, 0, 0]])
    assert emitter_sigma(genome, others) == pytest.approx(1.0)
    assert emitter_sigma(genome, others, "per_dim") == pytest.approx(0.5)
    assert emitter_sigma(genome, np.zeros((1, 4))) == 0.05
    assert emitter_sigma(genome, others[:0]) == 0.05
    with pytest.raises(ValueError, match="sigma_rule"):
        emitter_sigma(genome, others, "none")


def test_an_improvement_is_of_the_last_three_steps_over_the_first_three() -> None:
    values = np.repeat(np.array([0.0, 1.0, 2.0, 10.0, 4.0, 5.0, 6.0])[:, None], 6, axis=1)
    assert improvement(values) == pytest.approx(4.0)
    assert improvement(values, local=True) == pytest.approx(5.0 - 13.0 / 3.0)
    assert improvement(values[::-1]) == 0.0
    assert improvement(np.full((6, 6), -np.inf)) == 0.0
    assert improvement(values[:1]) == 0.0


def test_patience_is_that_of_the_published_code() -> None:
    assert [patience(d) for d in (94, 63, 228, 574)] == [433, 330, 880, 2033]
    assert patience(94, "original", steps=100) == 590
    assert patience(94, "original", steps=10_000) == 2000


@pytest.mark.parametrize("rule", ["custom", "original"])
def test_who_gets_no_better_stops_and_who_does_goes_on(rule: str) -> None:
    rising = np.repeat(np.linspace(0, 1, 200)[:, None], 6, axis=1)
    flat = np.zeros((200, 6))
    assert not stagnated(rising, 94, rule, window=150)
    assert stagnated(flat, 94, rule, window=150)
    assert stagnated(rising[::-1], 94, rule, window=150)
    assert not stagnated(flat, 94, rule), "it has more patience than that"
    assert not stagnated(flat[:150], 94, rule, window=150)


def test_one_of_both_measures_stops_by_the_own_rule_and_both_by_that_of_cma_es() -> None:
    """The median rises and the largest stays."""
    values = np.repeat(np.linspace(0, 1, 200)[:, None], 6, axis=1)
    values[:, 0] = 2.0
    assert stagnated(values, 94, "custom", window=150)
    assert not stagnated(values, 94, "original", window=150)
