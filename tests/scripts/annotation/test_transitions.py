"""Data sets of labelled transitions: their labels, their make-up, their files."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envs.episode_seeds import EVALUATION
from scripts.annotation import transitions
from scripts.annotation.transitions import NONE, LabelledTransition, build, load, record, save

KEY_ROOM = "MiniHack-KeyRoom-S5-v0"


def kinds(data):
    """How many transitions there are of each class."""
    return Counter(next((event for event, true in item.labels.items() if true), NONE) for item in data)


def item(**changed):
    fields = {"crop": "@ .", "next_crop": ". @", "map": "@.", "next_map": ".@", "labels": {"picked_up_key": False}}
    text = {"action": "east", "message": "", "caption": "moved"}
    return LabelledTransition(**{"env_id": "e", "episode_seed": 1, "step": 0, **text, **fields, **changed})


@pytest.fixture(scope="module")
def balanced():
    return build(KEY_ROOM, 50, "balanced", seed=3)


@pytest.fixture(scope="module")
def natural():
    return build(KEY_ROOM, 1500, "natural", seed=3)


def test_a_balanced_set_has_as_many_of_each_and_the_remainder_goes_to_the_first(balanced):
    assert kinds(balanced) == {"picked_up_key": 17, "opened_door": 17, NONE: 16}
    assert kinds(build(KEY_ROOM, 4, "balanced")) == {"picked_up_key": 2, "opened_door": 1, NONE: 1}


def test_an_unbalanced_set_has_four_percent_of_each():
    assert kinds(build(KEY_ROOM, 50, "unbalanced")) == {"picked_up_key": 2, "opened_door": 2, NONE: 46}


def test_a_natural_set_is_play_as_it_comes_with_plenty_of_keys_and_doors(natural):
    assert kinds(natural)["picked_up_key"] > 30
    assert kinds(natural)["opened_door"] > 30
    for before, after in pairwise(natural):
        if after.step:
            assert after.step == before.step + 1
            assert (after.episode_seed, after.crop, after.map) == (
                before.episode_seed,
                before.next_crop,
                before.next_map,
            )
        else:
            assert after.episode_seed != before.episode_seed


def test_labels_agree_with_the_map_and_the_words(natural):
    # The rules of the paper's authors: what the game says of the key; a '+' fewer on the screen
    # after APPLY.
    for made in natural:
        took = made.action == "pickup" and " - a key named The Master Key of Thievery" in made.message
        opened = made.action == "apply" and made.map.count("+") - made.next_map.count("+") == 1
        assert made.labels == {"picked_up_key": took, "opened_door": opened}


def test_what_does_not_count_is_from_many_moments(balanced):
    nothing = [made for made in balanced if not any(made.labels.values())]
    assert len({made.episode_seed for made in nothing}) >= 5
    assert len({made.action for made in nothing}) >= 4


def test_the_pieces_of_a_transition_are_the_texts_the_environment_reports(balanced):
    for made in balanced:
        assert made.env_id == f"breadcrumb/{KEY_ROOM}"
        assert made.caption
        assert made.crop.count("\n") == made.next_crop.count("\n") == 8
        assert made.crop.split("\n")[4][8] == "@"  # in the middle, a space between any two


def test_the_same_seed_gives_the_same_set_and_another_seed_another(balanced):
    assert build(KEY_ROOM, 50, "balanced", seed=3) == balanced
    assert build(KEY_ROOM, 50, "balanced", seed=4) != balanced


def test_evaluation_and_training_never_share_an_episode():
    assert all(made.episode_seed & EVALUATION for made in record(KEY_ROOM, 60, seed=0))
    assert not any(made.episode_seed & EVALUATION for made in record(KEY_ROOM, 60, seed=0, split="train"))


def test_a_larger_share_of_scripted_actions_finds_more():
    random, scripted = [
        sum(kinds(record(KEY_ROOM, 300, seed=0, scripted=share))[event] for event in transitions.EVENTS)
        for share in (0, 1)
    ]
    assert random < 10 < 45 < scripted


def test_a_transition_with_two_events_counts_for_the_first():
    events = ("opened_door", "picked_up_item", "saw_stairs")  # the stairs often come into view as the door opens
    data = build(KEY_ROOM, 40, "balanced", events=events)
    assert kinds(data) == {"opened_door": 10, "picked_up_item": 10, "saw_stairs": 10, NONE: 10}
    assert any(made.labels["opened_door"] and made.labels["saw_stairs"] for made in data)


def test_a_class_that_does_not_fill_is_an_error_that_counts(monkeypatch):
    monkeypatch.setattr(transitions, "PATIENCE", 20)
    with pytest.raises(ValueError, match=r"200 steps of breadcrumb/MiniHack-KeyRoom-S5-v0 gave only 0 of 5 found_gold"):
        build(KEY_ROOM, 10, "balanced", events=("found_gold",))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"env_id": "MiniHack-KeyRom-S5-v0"}, "no environment.*MiniHack-KeyRoom-S5-v0"),
        ({"env_id": "CartPole-v1"}, "CartPole-v1 cannot report action, caption"),
        ({"events": ("picked_up_keys",)}, "no event 'picked_up_keys'. Did you mean picked_up_key"),
        ({"events": ()}, "name at least one"),
        ({"events": ("ate", "ate")}, "each once"),
        ({"balance": "balance"}, "Did you mean balanced"),
        ({"n": 2}, "a balanced set with 2 events needs at least 3"),
        ({"n": 24, "balance": "unbalanced"}, "needs at least 25"),
        ({"n": 0, "balance": "natural"}, "needs at least 1"),
    ],
)
def test_what_cannot_be_built_is_refused_with_the_reason(arguments, words):
    with pytest.raises(ValueError, match=words):
        build(**{"env_id": KEY_ROOM, "n": 50, "balance": "balanced", **arguments})


@pytest.mark.parametrize(
    ("arguments", "words"),
    [({"n": 0}, "at least 1"), ({"scripted": 1.5}, "from 0 to 1"), ({"split": "test"}, "split='test'")],
)
def test_what_cannot_be_recorded_is_refused_before_anything_is_played(arguments, words):
    with pytest.raises(ValueError, match=words):
        record(**{"env_id": KEY_ROOM, "n": 5, "seed": 0, **arguments})


def test_a_set_comes_back_from_its_file_as_it_was(tmp_path, balanced):
    path = tmp_path / "sets" / "key_room.jsonl"
    save(path, balanced)
    assert load(path) == balanced
    assert [made.name for made in path.parent.iterdir()] == ["key_room.jsonl"]
    assert path.read_bytes().isascii()
    odd = [item(message='a "quote"\n\u2028 é ☃ \x00', caption="\\")]
    save(path, odd)
    assert load(path) == odd


def test_an_empty_set_is_neither_written_nor_read(tmp_path):
    with pytest.raises(ValueError, match="no transitions to save"):
        save(tmp_path / "empty.jsonl", [])
    (tmp_path / "empty.jsonl").write_text("\n\n")
    with pytest.raises(ValueError, match="holds no transitions"):
        load(tmp_path / "empty.jsonl")


def line(**changed):
    return json.dumps({**dataclasses.asdict(item()), **changed})


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        ("garbage", "line 2: Expecting value"),
        ("[1, 2]", "line 2: not a transition: a JSON list"),
        ("{}", "line 2: not a transition: missing"),
        (line(extra=1), r"line 2: .*unknown \['extra'\]"),
        (line(step="0"), "line 2: step should be an integer"),
        (line(step=True), "line 2: step should be an integer"),
        (line(step=-1), "line 2: step should be an integer"),
        (line(episode_seed=2**63), "line 2: episode_seed should be an integer"),
        (line(episode_seed=float("nan")), "line 2: episode_seed should be an integer"),
        (line(message=None), "line 2: message should be a text"),
        (line(crop="\ud800"), "line 2: crop should be a text"),
        (line(labels={}), "line 2: labels should be"),
        (line(labels={"picked_up_key": 1}), "line 2: labels should be"),
        (line(labels=["picked_up_key"]), "line 2: labels should be"),
        ("[" * 100_000, "line 2: not a transition: nested too deeply"),
        ("1" * 10_000, "line 2: "),
        (b"\xff\xfe\x00", "line 2: "),
    ],
)
def test_a_line_that_is_no_transition_is_named(tmp_path, bad, words):
    path = tmp_path / "set.jsonl"
    path.write_bytes(line().encode() + b"\n" + (bad if isinstance(bad, bytes) else bad.encode()) + b"\n")
    with pytest.raises(ValueError, match=words):
        load(path)


@given(st.one_of(st.binary(max_size=60), st.text(max_size=60).map(lambda text: json.dumps({"env_id": text}).encode())))
def test_whatever_is_in_a_file_loading_it_gives_a_value_error_and_nothing_else(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "hostile.jsonl"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"hostile\.jsonl"):
        load(path)
