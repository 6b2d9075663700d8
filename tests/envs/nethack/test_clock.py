"""An episode hangs on its seed alone: not on the machine's clock or earlier games."""

from __future__ import annotations

import _ctypes
import ctypes
import os

import numpy as np
import pytest

from envs.nethack.clock import NOON, TIME
from envs.nethack.game import Game
from tests.envs.nethack.test_library import bound, play


def in_the_library(game: Game, symbol: str, kind: type) -> object:
    """A variable of the game's own copy of NetHack; the copy is given back, so that it can go."""
    copy = ctypes.CDLL(game.stock.nethack.dlpath)
    value = kind.in_dll(copy, symbol).value
    _ctypes.dlclose(copy._handle)
    return value


def test_every_game_begins_at_the_same_moment_whatever_the_machines_clock_says():
    game = bound()
    for seed in (1, 2):
        game.reset(seed)
        assert in_the_library(game, "ubirthday", ctypes.c_long) == NOON
    game.close()


def test_the_clock_writes_where_c_wants_the_time_written():
    clock = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_void_p)(TIME)
    written = ctypes.c_int64(0)
    assert clock(None) == clock(ctypes.addressof(written)) == written.value == NOON


def test_dead_heroes_are_forgotten_before_the_next_game():
    game = bound()
    scores = os.path.join(game.stock.nethack._vardir, "record")
    with open(scores, "w") as file:
        file.write("3.6.6 0 0 1 1 -1 10 1 20200601 20200601 0 Val Hum Fem Neu Ghost,killed by a newt\n")
    game.reset(5)
    assert os.path.getsize(scores) == 0
    game.close()


def test_a_used_game_plays_what_a_fresh_one_plays_after_deaths():
    used, fresh = bound(), bound()
    rng = np.random.default_rng(0)
    terminal = {key: row.copy() for key, row in used.rows.items()}
    for seed in range(2):
        used.reset(seed)
        for _ in range(5000):
            used.press(int(rng.choice(used.stock.actions)))
            if used.settle(terminal):
                break
        else:
            pytest.fail("the hero outlived 5,000 random actions")
    np.testing.assert_equal(play(used, 7), play(fresh, 7))
    used.close(), fresh.close()
