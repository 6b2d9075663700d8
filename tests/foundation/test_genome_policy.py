"""A genome's network: its layout, and its two ways to act that come to the same."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest

from foundation.genome_policy import GenomePolicy, act_compiled, scratch_for


@pytest.mark.parametrize(
    ("inputs", "outputs", "hidden", "size"),
    [(6, 2, (5, 5, 5), 94), (5, 2, (5, 5), 63), (20, 20, (5, 5), 228), (10, 3, (5, 5), 93), (2, 2, (5, 5), 48),
     (29, 8, (10, 10, 10), 574), (3, 4, (), 13)],
)  # fmt: skip
def test_genomes_are_as_long_as_in_the_papers(inputs, outputs, hidden, size):
    policy = GenomePolicy(inputs, outputs, hidden)
    assert policy.size == size
    assert policy.sizes == (inputs, *hidden, outputs)


def by_hand(genome, sizes, seen):
    at = 0
    for before, after in pairwise(sizes):
        shared = genome[at + before * after]
        sums = [shared + sum(seen[i] * genome[at + i * after + o] for i in range(before)) for o in range(after)]
        seen, at = [math.tanh(total / 2) for total in sums], at + before * after + 1
    assert at == len(genome)
    return seen


@pytest.mark.parametrize("hidden", [(), (5, 5), (3, 7, 2)])
def test_both_ways_to_act_are_the_network_layer_by_layer(hidden):
    random = np.random.default_rng(0)
    policy = GenomePolicy(4, 3, hidden)
    genomes, seen = random.normal(0, 2, (20, policy.size)), random.normal(0, 3, (20, 4))
    acted = policy.act(genomes, seen)
    sizes, scratch, out = np.array(policy.sizes), scratch_for(policy.sizes), np.zeros(3)
    for genome, observation, actions in zip(genomes, seen, acted, strict=True):
        np.testing.assert_allclose(actions, by_hand(genome, policy.sizes, observation), rtol=0, atol=1e-13)
        act_compiled(genome, sizes, observation, out, scratch)
        np.testing.assert_allclose(out, actions, rtol=0, atol=1e-12)


def test_sums_beyond_what_an_exponential_holds_saturate():
    policy = GenomePolicy(1, 1, ())
    for sign in (-1.0, 1.0):
        genome, out = np.array([5.0, 0.0]), np.zeros(1)
        seen = np.array([sign * 1e4])
        act_compiled(genome, np.array(policy.sizes), seen, out, scratch_for(policy.sizes))
        assert out[0] == sign == policy.act(genome[None], seen[None])[0, 0]


def test_weights_of_a_layer_lie_by_input_and_its_shared_number_comes_last():
    policy = GenomePolicy(2, 2, ())
    genome = np.array([[1.0, 2.0, 3.0, 4.0, 0.5]])
    np.testing.assert_allclose(policy.act(genome, [[1.0, 0.0]]), np.tanh([[0.75, 1.25]]))
    np.testing.assert_allclose(policy.act(genome, [[0.0, 1.0]]), np.tanh([[1.75, 2.25]]))


@pytest.mark.parametrize(
    ("genomes", "seen", "message"),
    [((3, 47), (3, 2), r"genomes are \(3, 47\); expected \(n, 48\)"), ((48,), (1, 2), "genomes are"),
     ((3, 48), (2, 2), r"expected \(3, 2\), one a genome"), ((3, 48), (3, 3), "observations are")],
)  # fmt: skip
def test_what_does_not_fit_the_network_is_refused(genomes, seen, message):
    with pytest.raises(ValueError, match=message):
        GenomePolicy(2, 2).act(np.zeros(genomes), np.zeros(seen))


@pytest.mark.parametrize("shape", [(0, 2, (5,)), (2, 0, (5,)), (2, 2, (5, 0))])
def test_layers_without_units_are_refused(shape):
    with pytest.raises(ValueError, match="whole number of at least 1"):
        GenomePolicy(*shape)
