"""How much a run carries: right where it fits, wrong where it does not, and never paid less."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.coding.carrying import carry
from scripts.coding.telling import Settings
from scripts.running.run_directory import Run
from tests.scripts.coding.test_telling import SHORT, trained


@pytest.fixture(scope="module")
def cart(tmp_path_factory: pytest.TempPathFactory) -> Run:
    path = tmp_path_factory.mktemp("cart") / "run"
    return trained(path, "env=classic/cartpole", "agent=ppo", "shaping=none", "seed=1", *SHORT)


def test_a_message_that_fits_arrives_and_one_that_is_too_long_does_not(cart: Run) -> None:
    fits = carry(cart, Settings(block=4), bits=4, episodes=20, pilots=5)
    assert fits["exact"] > 0.7
    assert fits["wrong_bits"] < 0.5
    long = carry(cart, Settings(block=4), bits=200, episodes=10, pilots=5)
    assert long["exact"] == 0
    assert long["wrong_bits"] > 10
    assert long["doubt"] > 20


def test_a_message_takes_its_share_of_what_an_episode_carries(cart: Run) -> None:
    told = carry(cart, Settings(), episodes=3, pilots=10, filled=0.5)
    assert told["bits"] == int(0.5 * told["capacity_mean"])
    assert told["bits_per_step"] <= 1
    assert told["return_mean"] == told["episode_steps"]


def test_failing_actuators_cost_bits(cart: Run, tmp_path: Path) -> None:
    sure, failing = (carry(cart, Settings(block=4, noise=noise), bits=12, episodes=20, pilots=2) for noise in (0, 0.5))
    assert failing["wrong_bits"] > sure["wrong_bits"]
