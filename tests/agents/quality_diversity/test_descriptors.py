"""Descriptors by name: what they are made of, and which are refused."""

from __future__ import annotations

import numpy as np
import pytest

from agents.quality_diversity.descriptors import DESCRIPTORS, make_descriptor, spread
from agents.quality_diversity.signatures import log_signature, path_signature

STEPS, GENES = 40, 7
NAMES = {
    "final": 2,
    "frames:5": 10,
    "path": 80,
    "signature:2": 6,
    "time_signature:2": 12,
    "log_signature:2": 3,
    "time_log_signature:2": 6,
    "genome": GENES,
    "random": 10,
    "pixels": 3 * 32 * 32,
}


def paths(descriptor, n=3) -> np.ndarray:
    walk = np.cumsum(np.random.default_rng(0).normal(size=(n, STEPS, 2)), axis=1)
    return walk[:, descriptor.times]


def test_all_names_are_tested() -> None:
    assert {name.partition(":")[0] for name in NAMES} | {"image"} == set(DESCRIPTORS)


@pytest.mark.parametrize("name", NAMES)
def test_a_descriptor_has_the_size_that_it_says(name: str) -> None:
    descriptor = make_descriptor(name, steps=STEPS, genome=GENES)
    genomes = np.random.default_rng(1).normal(size=(3, GENES))
    views = np.random.default_rng(2).integers(0, 256, (3, 1, 32, 32, 3), dtype=np.uint8)
    made = descriptor(paths(descriptor), views, genomes)
    assert made.shape == (3, NAMES[name]) == (3, descriptor.size)
    assert np.isfinite(made).all()
    again = descriptor(paths(descriptor)[1:], views[1:], genomes[1:])
    assert (again == made[1:]).all(), "rows do not depend on each other"


def test_times_are_spread_evenly_and_leave_the_start_out() -> None:
    assert make_descriptor("final", steps=500, genome=1).times.tolist() == [499]
    assert make_descriptor("frames:5", steps=500, genome=1).times.tolist() == [100, 200, 300, 400, 499]
    assert make_descriptor("path", steps=3, genome=1).times.tolist() == [0, 1, 2]
    assert make_descriptor("genome", steps=500, genome=1).times.tolist() == []
    assert make_descriptor("image", steps=500, genome=1).frames.tolist() == [499]
    assert make_descriptor("image:2", steps=500, genome=1).frames.tolist() == [250, 499]
    assert spread(4, 4).tolist() == [1, 2, 3, 3]


def test_signatures_are_of_the_whole_path_with_or_without_time() -> None:
    walk = np.cumsum(np.random.default_rng(0).normal(size=(1, STEPS, 2)), axis=1)
    clock = np.linspace(1 / STEPS, 1, STEPS)[None, :, None]
    timed = np.concatenate([walk, clock], axis=2)
    for name, expected in (
        ("signature:3", path_signature(walk, 3)),
        ("time_signature:3", path_signature(timed, 3)),
        ("log_signature:3", log_signature(walk, 3)),
        ("time_log_signature:3", log_signature(timed, 3)),
    ):
        made = make_descriptor(name, steps=STEPS, genome=GENES)(walk, None, np.zeros((1, GENES)))
        assert made == pytest.approx(expected, abs=1e-12)


def test_a_failed_path_has_no_signature_and_spoils_no_other() -> None:
    descriptor = make_descriptor("signature:2", steps=STEPS, genome=GENES)
    walks = paths(descriptor)
    sound = descriptor(walks, None, np.zeros((3, GENES)))
    walks[1, 5, 0] = np.nan
    made = descriptor(walks, None, np.zeros((3, GENES)))
    assert np.isnan(made[1]).all()
    assert (made[[0, 2]] == sound[[0, 2]]).all()


def test_random_numbers_are_of_the_genome_alone() -> None:
    descriptor = make_descriptor("random", steps=STEPS, genome=GENES)
    genomes = np.random.default_rng(1).normal(size=(2, GENES))
    first, second = descriptor(np.zeros((2, 0, 2)), None, genomes)
    assert np.abs(first - second).max() > 0.1
    assert (descriptor(np.ones((1, 0, 2)), None, genomes[1:])[0] == second).all()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("finale", "Did you mean final"),
        ("frames", "expected a number, as in frames:2"),
        ("frames:0", "frames=0"),
        ("frames:41", "from 1 to 40"),
        ("final:2", "takes no number"),
        ("signature:x", "whole number after the colon"),
        ("signature:12", "8190 numbers, more than 4096"),
        ("time_signature:8", "more than 4096"),
    ],
)
def test_descriptors_that_cannot_be_are_refused_with_what_to_do(name: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        make_descriptor(name, steps=STEPS, genome=GENES)


def test_a_path_that_is_too_long_is_refused() -> None:
    with pytest.raises(ValueError, match="use a signature"):
        make_descriptor("path", steps=3000, genome=GENES)
