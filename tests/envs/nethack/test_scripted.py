"""The scripted player of the key rooms against the game itself."""

from __future__ import annotations

import gymnasium
import numpy as np
import pytest
from nle import nethack

import envs  # noqa: F401  registers the ids
from envs.nethack.captions import action_name
from envs.nethack.events import CLOSED_DOOR, CMAP, SKELETON_KEY, STAIRS_DOWN
from envs.nethack.scripted import MOVES, KeyRoomPlayer

SEES = ("glyphs", "raw_blstats", "inv_glyphs")
SIX = tuple(list(nethack.CompassDirection)[:4]) + (nethack.Command.PICKUP, nethack.Command.APPLY)
WORDS = [*MOVES, "pickup", "apply"]


def play(task, seeds, sees=SEES, obeyed=1.0, **arguments):
    """How many of the episodes are won, and the steps of those that are."""
    env = gymnasium.make(f"breadcrumb/MiniHack-KeyRoom-{task}-v0", observation_keys=sees, **arguments)
    player, rng, steps = KeyRoomPlayer(env), np.random.default_rng(0), []
    for seed in seeds:
        observation, _ = env.reset(seed=seed)
        player.reset()
        over, step = False, 0
        while not over:
            action = player(observation)
            if rng.random() >= obeyed:
                action = int(rng.integers(env.action_space.n))
            observation, _, terminated, truncated, info = env.step(action)
            over, step = terminated or truncated, step + 1
        if info["is_success"]:
            steps.append(step)
    env.close()
    return len(steps), steps


def test_the_player_solves_the_small_key_room_in_about_ten_steps():
    won, steps = play("S5", range(100))
    assert won >= 98
    assert np.mean(steps) < 11


def test_the_player_explores_what_is_dark():
    won, steps = play("Dark-S5", range(20))
    assert won >= 18
    assert np.mean(steps) < 25


@pytest.mark.parametrize("task", ["Fixed-S5", "S15", "Dark-S15"])
def test_the_player_solves_the_other_key_rooms(task):
    assert play(task, range(3))[0] == 3


def test_the_normalised_bottom_line_will_do_to_find_the_hero():
    assert play("S5", range(20), sees=("glyphs", "blstats", "inv_glyphs")) == play("S5", range(20))


def test_the_player_does_without_diagonal_moves_where_there_are_none():
    won, steps = play("S5", range(20), actions=SIX)
    assert won == 20
    assert np.mean(steps) < 16


def test_a_player_that_is_obeyed_at_every_second_step_still_gets_there():
    assert play("S5", range(20), obeyed=0.5)[0] >= 19


def picture(*rows, has_key=False):
    """`@` hero, `.` floor, `#` wall, `+` closed and `'` open door, `(` key, `>` stairs."""
    glyphs = np.full((21, 79), CMAP, np.int16)
    of = {
        "#": CMAP + 1,
        ".": CMAP + 19,
        "+": CLOSED_DOOR,
        "'": CMAP + 13,
        "(": SKELETON_KEY,
        ">": STAIRS_DOWN,
        "@": 337,
    }
    for y, row in enumerate(rows):
        for x, character in enumerate(row):
            if character in of:
                glyphs[y, x] = of[character]
    blstats = np.zeros(27, np.int64)
    y, x = np.argwhere(glyphs == 337)[0]
    blstats[:2] = x, y
    inventory = np.full(55, nethack.MAX_GLYPH, np.int16)
    inventory[0] = SKELETON_KEY if has_key else inventory[0]
    return {"glyphs": glyphs, "raw_blstats": blstats, "inv_glyphs": inventory}


def advice(*rows, has_key=False):
    return WORDS[KeyRoomPlayer(WORDS)(picture(*rows, has_key=has_key))]


def test_nobody_walks_through_a_door_diagonally():
    assert advice("####", "#@.#", "##'#", "##>#", "####") == "east"
    assert advice("####", "#@.#", "##.#", "##>#", "####") == "southeast"


def test_the_key_is_applied_from_a_cell_beside_the_door_and_not_across_its_corner():
    assert advice("####", "#@.#", "##+#", has_key=True) == "east"
    assert advice("####", "#.@#", "##+#", has_key=True) == "apply"
    assert advice("####", "#.@#", "##+#") != "apply"


def test_a_player_on_the_key_that_it_saw_picks_it_up():
    player = KeyRoomPlayer(WORDS)
    assert WORDS[player(picture("####", "#@(#", "####"))] == "east"
    assert WORDS[player(picture("####", "#.@#", "####"))] == "pickup"
    assert WORDS[player(picture("####", "#.@#", "##+#", has_key=True))] == "apply"


def test_a_reset_forgets_the_level():
    player = KeyRoomPlayer(WORDS)
    elsewhere = picture("#####", "#.@.#", "#.###", "#.  #")
    player(picture("#####", "#@(.#", "#.###", "#.  #"))
    assert WORDS[player(elsewhere)] == "pickup"
    player.reset()
    assert WORDS[player(elsewhere)] == "southwest"


def test_the_player_says_what_it_cannot_play():
    with pytest.raises(ValueError, match="lack north, south"):
        KeyRoomPlayer(["east", "west", "pickup"])
    env = gymnasium.make("CartPole-v1")
    with pytest.raises(ValueError, match="plays NetHack"):
        KeyRoomPlayer(env)
    env.close()


def test_the_players_moves_are_nles():
    assert {action_name(int(move)) for move in nethack.CompassDirection} == set(MOVES)
