"""Libraries that stay loaded: the same games, no more memory than nle's way, gone when closed."""

from __future__ import annotations

import gc
import os
import time
import warnings

import gymnasium
import numpy as np
import pytest
from nle import nethack

import envs
from envs.nethack import game, library
from envs.nethack.game import Game

READ = ("glyphs", "blstats", "message", "program_state", "internal", "inv_glyphs")


def bound(env_id="NetHackScore-v0"):
    new = Game(env_id)
    new.bind({key: np.zeros(**nethack.OBSERVATION_DESC[key]) for key in READ})
    return new


def resident_kilobytes() -> int:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE") // 1024


def copies_loaded() -> int:
    """Of games that somebody still holds: what other tests dropped is collected first."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()
    with open("/proc/self/maps") as file:
        return len({line.split()[4] for line in file if "nle.so" in line and "rw-p" in line})


def play(new: Game, seed: int) -> list:
    new.reset(seed)
    rng, screens = np.random.default_rng(seed), []
    for _ in range(80):
        new.press(int(rng.choice(new.stock.actions)))
        if new.settle({key: row.copy() for key, row in new.rows.items()}):
            break
        screens.append({key: row.copy() for key, row in new.rows.items()})
    return screens


def test_this_machine_keeps_libraries_loaded():
    assert library.keeper() is not None


def test_games_that_were_played_before_leave_no_trace_in_the_next_one():
    used, fresh = bound(), bound()
    for seed in range(6):
        play(used, seed)
    np.testing.assert_equal(play(used, 99), play(fresh, 99))
    used.close(), fresh.close()


def test_resets_need_no_more_memory_than_nles_own():
    new = bound()
    for seed in range(100):
        new.reset(seed)
    before = resident_kilobytes()
    for seed in range(1500):
        new.reset(seed)
    assert (resident_kilobytes() - before) / 1500 < 4, "kilobytes a reset; nle 1.3.0 itself loses about 2"
    new.close()


def test_a_closed_game_is_unloaded():
    before = copies_loaded()
    games = [bound() for _ in range(3)]
    for played in games:
        played.reset(1), played.reset(2)
    assert copies_loaded() == before + 3
    for played in games:
        played.close()
    assert copies_loaded() == before


def test_games_that_are_dropped_without_being_closed_do_not_haunt_later_ones():
    before = copies_loaded()
    for _ in range(5):
        dropped = [bound() for _ in range(2)]
        for played in dropped:
            played.reset(1), played.reset(2)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)
            del played, dropped
    assert copies_loaded() == before
    last = bound()
    last.reset(1), last.reset(2)
    last.close()


def test_stock_environments_in_the_same_process_go_their_own_way():
    ours, stock = bound(), gymnasium.make("NetHackScore-v0")
    for seed in range(3):
        ours.reset(seed), stock.reset()
        stock.step(0)
    stock.close(), ours.close()


def test_a_reset_is_at_least_twice_as_fast_as_loading_the_library_anew(monkeypatch):
    def seconds() -> list[float]:
        """Of this thread's processor, which nobody else's work makes longer."""
        new = bound("MiniHack-Room-5x5-v0")
        new.reset(0)
        times = []
        for seed in range(40):
            start = time.thread_time()
            new.reset(seed)
            times.append(time.thread_time() - start)
        new.close()
        return times

    ours, anew = [], []
    for _ in range(3):  # in turn, as the machine drifts
        ours += seconds()
        with monkeypatch.context() as patch:
            patch.setattr(game, "keeper", lambda: None)
            anew += seconds()
    assert min(anew) > 2 * min(ours)
    assert np.median(anew) > 1.5 * np.median(ours)


def test_a_binding_that_is_not_as_expected_leaves_resets_to_nle_with_one_warning(monkeypatch, tmp_path):
    odd = tmp_path / "odd.so"
    odd.write_bytes(b"not a library")
    monkeypatch.setattr(library, "DLPATH", str(odd))
    with pytest.warns(UserWarning, match="loaded anew at every reset"):
        assert library.keeper.__wrapped__() is None
    monkeypatch.setattr(game, "keeper", lambda: None)
    venv = envs.make_vec("MiniHack-Room-5x5-v0", 2, seed=0)
    venv.reset(), venv.reset()
    venv.close()
