"""Messages through trained runs: what is sent is read back, by nobody else, and the play stays."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import scripts.receive
import scripts.send
from agents.coding import Disagreement, TooLittleCapacity
from foundation.demonstrations import Demonstrations
from scripts.coding.telling import NotSent, Settings, blocks_for, receive, send
from scripts.running.run_directory import Run, load_run
from scripts.train import main

QUIET = ["tracking=none", "evaluate_episodes=0", "torch_threads=1"]
SHORT = ["agent.n_steps=32", "agent.batch_size=64", "n_envs=4", "total_timesteps=256"]
WORDS = b"meet me at noon"


def trained(path: Path, *overrides: str) -> Run:
    assert main([*overrides, *QUIET, f"run_dir={path}"]) == 0
    return load_run(path)


@pytest.fixture(scope="module")
def cart(tmp_path_factory: pytest.TempPathFactory) -> Run:
    path = tmp_path_factory.mktemp("cart") / "run"
    return trained(path, "env=classic/cartpole", "agent=ppo", "shaping=none", "seed=1", *SHORT)


def test_a_text_is_sent_and_received_by_two_commands(cart: Run, tmp_path: Path, capsysbinary: Any) -> None:
    out = tmp_path / "told.npz"
    scripts.send.main([WORDS.decode(), f"run={cart.path}", f"out={out}"])
    told = capsysbinary.readouterr().out.decode()
    assert f"{len(WORDS)} bytes" in told
    summary = json.loads(out.with_suffix(".json").read_text())
    assert told.splitlines()[0].endswith(f"{summary['steps']} steps")
    assert summary["bits"] == 8 * (len(WORDS) + 5)
    assert 0 < summary["bits_per_step"] <= 1
    with Image.open(out.with_suffix(".gif")) as clip:
        assert getattr(clip, "n_frames", 1) > 20
    assert Image.open(out.with_suffix(".png")).width > 800
    scripts.receive.main([str(out), f"run={cart.path}"])
    assert capsysbinary.readouterr().out == WORDS + b"\n"


def test_a_file_comes_back_byte_for_byte(cart: Run, tmp_path: Path) -> None:
    file, out, back = tmp_path / "picture.bin", tmp_path / "told.npz", tmp_path / "back.bin"
    file.write_bytes(bytes(range(0, 256, 5)))
    scripts.send.main([str(file), f"run={cart.path}", f"out={out}", "gif=false", "block=4"])
    scripts.receive.main([str(out), f"run={cart.path}", f"out={back}"])
    assert back.read_bytes() == file.read_bytes()


def test_a_long_play_is_looked_at_some_hundred_times_and_at_its_end(cart: Run, tmp_path: Path) -> None:
    told = send(cart, bytes(range(100)), Settings(), tmp_path / "told.npz")
    with Image.open(tmp_path / "told.gif") as clip:
        assert 100 < getattr(clip, "n_frames", 1) < 400 < told["steps"]


def test_what_was_played_is_a_file_of_demonstrations(cart: Run, tmp_path: Path) -> None:
    told = send(cart, WORDS, Settings(), tmp_path / "told.npz", gif=False)
    play = Demonstrations.load(tmp_path / "told.npz")
    assert len(play) == told["steps"] == int(play.lengths.sum())
    np.testing.assert_allclose(play.returns, told["returns"])
    assert "telling a message" in play.header.source


def test_who_holds_other_weights_or_settings_reads_nothing_and_is_told_why(cart: Run, tmp_path: Path) -> None:
    out = tmp_path / "told.npz"
    send(cart, WORDS, Settings(), out, gif=False)
    other = trained(tmp_path / "other", "env=classic/cartpole", "agent=ppo", "shaping=none", "seed=2", *SHORT)
    with pytest.raises(Disagreement, match=r"weights: .* here, .* there"):
        receive(out, other, {})
    with pytest.raises(Disagreement, match="levels: 512 here, 1024 there"):
        receive(out, cart, {"levels": 512})
    assert receive(out, cart, {"levels": 1024})[0] == WORDS


def test_a_message_that_does_not_fit_is_refused_before_it_is_sent_with_what_it_would_take(
    cart: Run, tmp_path: Path
) -> None:
    with pytest.raises(TooLittleCapacity, match=r"some \d+ would be needed, and 2 are allowed"):
        send(cart, bytes(200), Settings(), tmp_path / "told.npz", episodes=2, gif=False)
    assert not (tmp_path / "told.npz").exists()


def test_play_that_comes_too_near_a_boundary_of_the_grid_is_played_again(cart: Run, tmp_path: Path) -> None:
    told = send(cart, b"hi", Settings(), tmp_path / "told.npz", tolerance=3e-6, gif=False)
    assert told["margin"] > 3e-6
    assert receive(tmp_path / "told.npz", cart, {})[0] == b"hi"
    with pytest.raises(NotSent, match="too close to the grid's boundaries"):
        send(cart, b"hi", Settings(), tmp_path / "none.npz", tolerance=4e-4, gif=False, episodes=20)


@pytest.mark.parametrize(
    "settings", [Settings(noise=0.1), Settings(rate=0.5), Settings(coupling="cicalese"), Settings(temperature=2.0)]
)
def test_noise_rates_couplings_and_temperatures_are_both_players(cart: Run, tmp_path: Path, settings: Settings) -> None:
    send(cart, b"hi", settings, tmp_path / "told.npz", gif=False)
    assert receive(tmp_path / "told.npz", cart, {})[0] == b"hi"


def test_a_real_game_and_a_memory_carry_messages_too(tmp_path: Path) -> None:
    run = trained(
        tmp_path / "run", "env=minihack/room_5x5", "agent=recurrent_ppo", "shaping=none", "seed=1", *SHORT,
        "agent.lstm_hidden_size=16", "env.kwargs.max_episode_steps=40",
    )  # fmt: skip
    send(run, b"hi", Settings(), tmp_path / "told.npz", gif=False)
    assert receive(tmp_path / "told.npz", run, {})[0] == b"hi"


def test_an_agent_whose_actions_have_no_probability_each_is_refused(tmp_path: Path) -> None:
    run = trained(
        tmp_path / "run", "env=classic/pendulum", "agent=sac", "shaping=none", "n_envs=1", "total_timesteps=64",
        "agent.learning_starts=32", "agent.buffer_size=100",
    )  # fmt: skip
    with pytest.raises(ValueError, match="expected one discrete action: ppo, a2c"):
        send(run, b"hi", Settings(), tmp_path / "told.npz", gif=False)


def test_what_is_no_message_or_no_file_of_one_is_said(cart: Run, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="the message has 0 bytes"):
        send(cart, b"", Settings(), tmp_path / "told.npz")
    with pytest.raises(ValueError, match=r"ends in \.npz"):
        send(cart, b"hi", Settings(), tmp_path / "told.txt")
    with pytest.raises(ValueError, match="expected a message and a run"):
        scripts.send.main(["hi"])
    told = send(cart, b"hi", Settings(), tmp_path / "told.npz", gif=False)
    Demonstrations.load(tmp_path / "told.npz").save(tmp_path / "bare.npz")
    with pytest.raises(ValueError, match=r"it has no agreement\. scripts.send writes one"):
        receive(tmp_path / "bare.npz", cart, {})
    assert told["episodes"] >= 1
    assert sum(np.log2(blocks_for(2, 8).sizes)) == 56
