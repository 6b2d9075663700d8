"""Events and captions against play whose outcome is known."""

from __future__ import annotations

import gymnasium
import numpy as np
import pytest

from envs.nethack import captions
from envs.nethack.events import CLOSED_DOOR, EVENTS, SKELETON_KEY, Step, object_glyph

EVENTS_OF_KEY_ROOM = ("picked_up_key", "opened_door", "picked_up_item", "saw_stairs", "new_room")


def test_a_key_room_played_at_random_says_when_the_key_is_taken_and_the_door_opened():
    env = gymnasium.make(
        "breadcrumb/MiniHack-KeyRoom-S5-v0",
        report=("events", "caption"),
        events=EVENTS_OF_KEY_ROOM,
        observation_keys=("glyphs", "inv_glyphs"),
    )
    rng, counts = np.random.default_rng(0), {"picked_up_key": 0, "opened_door": 0}
    for seed in range(60):
        observation, _ = env.reset(seed=seed)
        over = False
        while not over:
            had, closed = (
                (observation["inv_glyphs"] == SKELETON_KEY).any(),
                np.isin(observation["glyphs"], (CLOSED_DOOR, CLOSED_DOOR + 1)).sum(),
            )
            observation, _, terminated, truncated, info = env.step(int(rng.integers(10)))
            over, events = terminated or truncated, info.get("events", ())
            has, shut = (
                (observation["inv_glyphs"] == SKELETON_KEY).any(),
                np.isin(observation["glyphs"], (CLOSED_DOOR, CLOSED_DOOR + 1)).sum(),
            )
            assert ("picked_up_key" in events) == (has and not had)
            assert ("picked_up_item" in events) == (has and not had)
            assert ("opened_door" in events) == (shut < closed)
            if "picked_up_key" in events:
                assert "a key named The Master Key of Thievery" in info["caption"]
                assert "gained: key" in info["caption"]
            for name in counts:
                counts[name] += name in events
    env.close()
    assert counts["picked_up_key"] >= 10
    assert counts["opened_door"] >= 3


def arrays(**changed):
    state = {
        "glyphs": np.full((1, 21, 79), 2359, np.int16),
        "blstats": np.zeros((1, 27), np.int64),
        "internal": np.zeros((1, 9), np.int32),
        "inv_glyphs": np.full((1, 55), 5976, np.int16),
    }
    for key, (place, value) in changed.items():
        state[key][(0, *place) if isinstance(place, tuple) else (0, place)] = value
    return state


@pytest.mark.parametrize(
    ("event", "changed"),
    [
        ("found_gold", {"blstats": (13, 5)}),
        ("deeper_level", {"blstats": (12, 1)}),
        ("gained_level", {"blstats": (18, 1)}),
        ("gained_experience", {"blstats": (19, 3)}),
        ("ate", {"internal": (7, 100)}),
        ("saw_stairs", {"glyphs": ((3, 4), 2383)}),
        ("new_room", {"glyphs": ((5, slice(10, 20)), 2378)}),
        ("picked_up_item", {"inv_glyphs": (0, 1900)}),
        ("picked_up_key", {"inv_glyphs": (1, SKELETON_KEY)}),
    ],
)
def test_an_event_is_true_on_the_step_that_makes_it_true_and_at_no_other(event, changed):
    assert EVENTS[event](Step(arrays(), arrays(**changed), [b""])).tolist() == [True]
    assert EVENTS[event](Step(arrays(**changed), arrays(**changed), [b""])).tolist() == [False]
    assert EVENTS[event](Step(arrays(**changed), arrays(), [b""])).tolist() == [False]


def test_a_door_opens_only_on_the_level_where_it_was_closed():
    closed, opened = arrays(glyphs=((3, 4), CLOSED_DOOR)), arrays(glyphs=((3, 4), CLOSED_DOOR - 2))
    assert EVENTS["opened_door"](Step(closed, opened, [b""])).tolist() == [True]
    opened["blstats"][0, 24] = 2
    assert EVENTS["opened_door"](Step(closed, opened, [b""])).tolist() == [False]


def test_killing_is_read_from_the_words_of_the_step():
    assert EVENTS["killed_monster"](Step(arrays(), arrays(), [b"You hit it. You kill the newt!"])).tolist() == [True]
    assert EVENTS["killed_monster"](Step(arrays(), arrays(), [b"The newt bites!"])).tolist() == [False]


def captioned(before, now, action="search", text=b"", actions=("search", "north", "apply")):
    """The caption of one step from `before` to `now`, both as `arrays()` gives them."""
    keys = {"search": ord("s"), "north": ord("k"), "apply": ord("a")}
    captioner = captions.Captioner(before, np.array([keys[name] for name in actions]))
    for key in captions.READ:
        captioner._now[key] = now[key]
    return captioner.captions(np.array([0]), np.array([actions.index(action)]), [text])[0]


def test_captions_are_plain_short_and_say_what_changed():
    before, now = arrays(blstats=(10, 12)), arrays(blstats=(10, 9))
    now["glyphs"][0, 4, 4] = object_glyph("arrow")
    assert (
        captioned(before, now, text=b"It\xe9 \x07bites! You turn.")
        == "search. It? bites! You turn. in view: arrow. hp -3"
    )
    assert len(captioned(before, now, text=b"word " * 200)) <= captions.MAX_LENGTH


def test_a_caption_says_what_became_of_a_cell_and_not_which_way_the_hero_went():
    before, now = arrays(glyphs=((3, 4), CLOSED_DOOR)), arrays(glyphs=((3, 4), CLOSED_DOOR - 2))
    assert captioned(before, now, "apply", b"Never mind.") == "apply. Never mind. closed door became open door"
    assert captioned(arrays(), arrays(blstats=(0, 7)), "north") == "moved"
    assert captioned(arrays(), arrays(), "north", b"It's a wall.") == "move. It's a wall"


def test_what_the_hero_or_a_monster_stands_on_is_not_gone():
    key, jackal, hero = SKELETON_KEY, 12, 330
    # The hero steps from (x=2, y=3) on a key at (x=3, y=3).
    before, now = arrays(glyphs=((3, 3), key)), arrays(glyphs=((3, 3), hero))
    before["blstats"][0, :2], now["blstats"][0, :2] = (2, 3), (3, 3)
    before["glyphs"][0, 3, 2] = hero
    assert captioned(before, now, "north") == "moved"
    # A jackal walks on to an arrow, and another comes into view.
    before, now = arrays(glyphs=((5, 5), jackal)), arrays(glyphs=((5, 6), jackal))
    before["glyphs"][0, 5, 6] = object_glyph("arrow")
    assert captioned(before, now) == "search"
    now["glyphs"][0, 8, 8] = jackal
    assert captioned(before, now) == "search. in view: jackal"


def test_nothing_is_said_of_the_map_on_another_level():
    now = arrays(glyphs=((3, 4), CLOSED_DOOR), blstats=(12, 1))
    now["blstats"][0, 24] = 1
    assert captioned(arrays(), now, text=b"You descend.") == "search. You descend. depth +1"


def test_words_leave_out_what_nle_says_about_its_own_missing_files():
    said = [b"Can't open 'rumors' file. Program in disorder! The key whispers.", b"Never mind."]
    assert captions.words(said) == "The key whispers. Never mind."


def test_unidentified_things_are_called_by_their_look():
    potions = [captions.glyph_name(object_glyph("healing")), captions.glyph_name(object_glyph("sleeping"))]
    assert all(name.endswith("potion") and "healing" not in name for name in potions)
    assert captions.glyph_name(CLOSED_DOOR) == "closed door"
