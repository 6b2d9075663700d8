"""What a small policy sees."""

import numpy as np
from gymnasium import spaces

from agents.quality_diversity.senses import Senses

NAMES = spaces.Box(0, 5976, (3, 3), np.int16)
NUMBERS = spaces.Box(-np.inf, np.inf, (4,), np.float32)


def test_names_of_things_are_seen_between_minus_one_and_one_and_numbers_as_they_are():
    space = spaces.Dict({"glyphs": NAMES, "numbers": NUMBERS})
    senses = Senses(space, spaces.Discrete(4), place="numbers[0,1]")
    glyphs = np.array([[[0, 5976, 2988]] * 3], np.int16)
    seen = senses.vector({"glyphs": glyphs, "numbers": np.array([[7.0, -9.0, 0.5, 100.0]], np.float32)})
    assert seen.shape == (1, senses.width) == (1, 13)
    np.testing.assert_array_equal(seen[0], [*[-1.0, 1.0, 0.0] * 3, 7.0, -9.0, 0.5, 100.0])


def test_places_of_nethack_grow_downward_and_others_do_not():
    seen = spaces.Dict({"raw_blstats": NUMBERS, "other": NUMBERS})
    assert Senses(seen, spaces.Discrete(2)).downward
    assert not Senses(seen, spaces.Discrete(2), place="other[0,1]").downward
    assert not Senses(NUMBERS, spaces.Discrete(2)).downward


def test_one_vector_is_seen_as_it_is():
    senses = Senses(NUMBERS, spaces.Box(-1, 1, (2,)))
    np.testing.assert_array_equal(senses.vector(np.arange(8.0).reshape(2, 4)), np.arange(8.0).reshape(2, 4))
