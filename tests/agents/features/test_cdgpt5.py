"""CDGPT5's features: sizes, the drawn crop, what they refuse."""

from __future__ import annotations

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium import spaces

import envs
from agents.features import FEATURES, features_for
from agents.features.cdgpt5 import CROP, READ, CDGPT5Features, glyph_atlas

KEYS = {"observation_keys": READ, "crop_size": CROP}


def observed(n=3, steps=20):
    venv = envs.make_vec("NetHackScoreExtendedActions-v1", n, seed=0, **KEYS)
    venv.reset()
    rng = np.random.default_rng(0)
    for _ in range(steps):
        observations = venv.step(rng.integers(28, size=n))[0]
    venv.close()
    return venv.observation_space, {key: torch.as_tensor(value) for key, value in observations.items()}


@pytest.mark.parametrize(("name", "width"), [("cdgpt5", 795), ("cdgpt5_light", 219)])
def test_features_have_the_papers_width_and_read_every_entry(name, width):
    space, batch = observed()
    extractor, arguments = features_for(space, name)
    network = extractor(space, **arguments)
    assert network.features_dim == width
    codes = network(batch)
    assert codes.shape == (3, width)
    for key in READ:
        other = dict(batch)
        other[key] = torch.flip(batch[key], dims=[1]) + (1 if key != "colors_crop" else 0)
        assert not torch.allclose(network(other), codes), key


def test_the_crop_is_drawn_where_it_stands_in_its_colours():
    space, batch = observed(1)
    network = CDGPT5Features(space)
    picture = network.render(batch)[0]
    assert picture.shape == (3, 72, 72)
    assert (glyph_atlas()[ord("@")] > 0.2).any()
    assert not torch.equal(glyph_atlas()[ord("|")], glyph_atlas()[ord("-")])
    assert chr(int(batch["chars_crop"][0, 6, 6])) == "@"
    hero = picture[:, 36:42, 36:42]
    colour = network.palette[int(batch["colors_crop"][0, 6, 6])]
    assert torch.allclose(hero, glyph_atlas()[ord("@")] * colour[:, None, None])
    empty = batch["chars_crop"][0, :12, :12] == ord(" ")
    row, column = np.argwhere(empty.numpy())[0]
    assert not picture[:, 6 * row : 6 * row + 6, 6 * column : 6 * column + 6].any()


def test_what_terms_publish_is_read_as_it_is():
    space, batch = observed()
    more = spaces.Dict({**space.spaces, "calm": spaces.Box(0, 1, (2,), np.float32)})
    for extractor in (FEATURES["cdgpt5"], FEATURES["cdgpt5_light"]):
        network = extractor(more)
        bits = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
        assert torch.equal(network({**batch, "calm": bits})[:, -2:], bits)


def test_other_observations_are_refused_with_what_to_ask_for():
    small = gymnasium.make("breadcrumb/NetHackScore-v0", observation_keys=READ, crop_size=9)
    with pytest.raises(ValueError, match="crop_size=13"):
        CDGPT5Features(small.observation_space)
    with pytest.raises(ValueError, match="observation_keys"):
        CDGPT5Features(gymnasium.make("breadcrumb/NetHackScore-v0").observation_space)
    whole = gymnasium.make("breadcrumb/NetHackScore-v0", observation_keys=(*READ, "glyphs"), crop_size=CROP)
    with pytest.raises(ValueError, match="'glyphs'"):
        CDGPT5Features(whole.observation_space)
