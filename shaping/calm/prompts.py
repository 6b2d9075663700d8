"""How a transition is shown to a language model, and the examples that say what to answer.

A small model cannot be asked: "was the door opened, yes or no?" is answered yes to everything
(docs/terms/calm.md). It can go on: after lines of `Event: ...` and `Goal: ...` with other things in
other rooms, the next goal is read off from how likely each allowed one is to follow. No example
names a thing of the tasks that are judged.

Game text is data: it is flattened to one line, or every line of it is marked, so that it can look
neither like an example nor like an answer.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

PROMPT_VERSION = "calm-judge-1"
FORMS = ("caption", "crop", "map", "map_message")
"""What the model sees of a transition."""
REQUIRES: Mapping[str, frozenset[str]] = {
    "caption": frozenset({"caption"}),
    "crop": frozenset({"crop", "action", "message"}),
    "map": frozenset({"map"}),
    "map_message": frozenset({"map", "action", "message"}),
}
"""Form -> info entries it is made of."""
NONE = "none"
MOST_CHARACTERS = 300  # of one line of game text

_HEAD = "You watch an adventure game. For each event, name the goal that it fulfils, or none.\n\n"
_LEGEND = (
    "Maps: @ is the player, . floor, | and - walls or open doors, + a closed door, ( an item, [ armour, ! a potion, "
    "< and > stairs.\n\n"
)


@dataclass(frozen=True)
class Example:
    """A transition with its answer: which of `goals` it achieves, None for none of them."""

    text: str
    goals: tuple[str, ...]
    achieved: str | None


def line(text: str) -> str:
    """Game text on one line of printable characters."""
    flat = " ".join("".join(character if character.isprintable() else " " for character in text).split())
    return flat[:MOST_CHARACTERS]


def event(form: str, info: Mapping[str, str], before: Mapping[str, str]) -> str:
    """A transition in one of the `FORMS`, from what the environment reports after and before."""
    if form == "caption":
        return f"Event: {line(info['caption'])}\n"
    entry = "crop" if form == "crop" else "map"
    middle = "" if form == "map" else f"Action: {line(info['action'])}\nMessage: {line(info['message'])}\n"
    return f"Before:\n{_marked(before.get(entry, ''))}{middle}After:\n{_marked(info[entry])}"


def prompt(form: str, text: str, order: int = 0) -> str:
    """The examples, then the transition; what follows is the goal, after a space.

    Args:
        form: of `FORMS`.
        text: from `event`.
        order: of the examples; 0 as they stand here, others are shuffles. What a model answers
            depends on it.
    """
    return f"{head(form, order)}{text}Goal:"


def head(form: str, order: int = 0) -> str:
    """What every prompt of a form begins with."""
    examples = list(EXAMPLES[form])
    if order:
        random.Random(order).shuffle(examples)
    shown = "".join(f"{example.text}Goal: {example.achieved or NONE}\n\n" for example in examples)
    return _HEAD + (_LEGEND if form != "caption" else "") + shown


def answers(goals: Sequence[str]) -> list[str]:
    """What may follow a prompt: no goal, or one of them.

    The line feed ends it, so that none begins another.
    """
    return [f" {NONE}\n", *(f" {line(goal)}\n" for goal in goals)]


def _marked(text: str) -> str:
    rows = [row for row in text.split("\n") if row.strip()]
    return "".join(f"| {line_of_map}\n" for line_of_map in (_row(row) for row in rows[:24]))


def _row(text: str) -> str:
    return "".join(character if character.isprintable() else " " for character in text)[:100].rstrip()


# Examples -----------------------------------------------------------------------------------------


def _said(text: str, achieved: str | None, *goals: str) -> Example:
    return Example(event("caption", {"caption": text}, {}), goals, achieved)


_CAPTIONS = (
    _said("pickup. f - a rusty lamp. gained: lamp", "pick up the lamp"),
    _said("moved. You see here a rusty lamp", None),
    _said(
        'apply. The lamp named Glow says: "It is time." Never mind. closed chest became open chest', "open the chest"
    ),
    _said("move. This chest is locked", None),
    _said("move. You kill the orc! gone: orc", "kill the orc"),
    _said("pickup. There is nothing here to pick up", None),
    _said("apply. Never mind", None),
    _said("close. The gate closes. open gate became closed gate", "close the gate"),
    _said("moved. in view: closed chest", None),
    _said("pickup. b - a silver sword. gained: sword", "pick up the sword"),
    _said("move. It's a wall", None),
    _said("moved. in view: orc", None),
    _said("apply. unlit candle became lit candle", "light the candle"),
    _said("move. You can't squeeze through", None),
    _said("up. You climb up the ladder. depth -1", "climb the ladder"),
    _said("moved. You see here a silver sword. in view: closed gate", None),
    _said("moved", None),
)

_TWO = ("pick up the flute", "unlock the box")
_CALIBRATE_CAPTIONS = (
    _said("pickup. d - a wooden flute. gained: flute", _TWO[0], *_TWO),
    _said("moved. You see here a wooden flute", None, *_TWO),
    _said("apply. The lock clicks. locked box became unlocked box", _TWO[1], *_TWO),
    _said("apply. You can't do that", None, *_TWO),
    _said("moved. in view: locked box", None, *_TWO),
    _said("move. You kill the rat! gone: rat", "kill the rat", "kill the rat", "pick up the gem"),
    _said("move. The rat bites! hp -2", None, "kill the rat", "pick up the gem"),
    _said("pickup. e - a red gem. gained: gem", "pick up the gem", "kill the rat", "pick up the gem"),
    _said("pickup. There is nothing here to pick up", None, "kill the rat", "pick up the gem"),
    _said("moved. in view: rat", None, "kill the rat", "pick up the gem"),
    _said('apply. The flute named Song sings: "Never." closed chest became open chest', "open the chest",
          "open the chest", "pick up the flute"),
    _said("moved. You see here a wooden flute. in view: closed chest", None, "open the chest", "pick up the flute"),
)  # fmt: skip

_ROOM = ("- - - - - - -", "| . . . . . |", "| . . . . . |", "| . . . . . |", "- - - - - - -")


def _drawn(form: str, things: str, then: str, action: str, message: str, achieved: str | None, *goals: str) -> Example:
    """A room of three rows with `things` before and `then` after, five characters a row."""

    def room(cells: str) -> str:
        space = " " if form == "crop" else ""
        rows = [_ROOM[0], *(f"| {' '.join(row)} |" for row in cells.split("/")), _ROOM[4]]
        return "\n".join(row if space else row.replace(" ", "") for row in rows)

    entry = "crop" if form == "crop" else "map"
    info = {entry: room(then), "action": action, "message": message}
    return Example(event(form, info, {entry: room(things)}), goals, achieved)


def _rooms(form: str) -> tuple[Example, ...]:
    return (
        _drawn(form, "...../..@../.....", "...../..@../.....", "pickup", "f - a red potion.", "pick up the potion"),
        _drawn(form, "....!/...@./.....", "....@/...../.....", "northeast", "You see here a red potion.", None),
        _drawn(form, "...../.@+../.....", "...../.@|../.....", "open", "The gate opens.", "open the gate"),
        _drawn(form, "...../.@+../.....", "...../.@+../.....", "east", "This gate is locked.", None),
        _drawn(form, "...../.@o../.....", "...../.@.../.....", "east", "You kill the orc!", "kill the orc"),
        _drawn(form, "...../.@.../.....", "...../..@../.....", "east", "", None),
        _drawn(form, "...../..@../.....", "...../..@../.....", "pickup", "There is nothing here to pick up.", None),
        _drawn(form, "...../..@../.....", "...../..@../.....", "apply", "Never mind.", None),
    )


def _calibrate_rooms(form: str) -> tuple[Example, ...]:
    two, three = ("wear the helmet", "open the hatch"), ("kill the newt", "pick up the helmet")
    return (
        _drawn(form, "..@../...../.....", "..@../...../.....", "pickup", "b - an iron helmet.", three[1], *three),
        _drawn(form, "...../.[@../.....", "...../.@.../.....", "west", "You see here an iron helmet.", None, *three),
        _drawn(form, "...../.:@../.....", "...../..@../.....", "west", "You kill the newt!", three[0], *three),
        _drawn(form, "...../.:@../.....", "...../.:@../.....", "west", "You miss the newt.", None, *three),
        _drawn(form, "..+../..@../.....", "..-../..@../.....", "apply", "Never mind.", two[1], *two),
        _drawn(form, "..+../..@../.....", "..+../..@../.....", "apply", "Never mind.", None, *two),
        _drawn(form, "..+../...../..@..", "..+../..@../.....", "north", "", None, *two),
        _drawn(form, "...../...../@....", "...../...../@....", "west", "It's a wall.", None, *two),
    )


_GRIDS = ("crop", "map", "map_message")
EXAMPLES: Mapping[str, Sequence[Example]] = {"caption": _CAPTIONS, **{form: _rooms(form) for form in _GRIDS}}
"""Form -> the examples of its prompt."""
CALIBRATION: Mapping[str, Sequence[Example]] = {
    "caption": _CALIBRATE_CAPTIONS,
    **{form: _calibrate_rooms(form) for form in _GRIDS},
}
"""Form -> further examples, on which the judge's threshold is set."""
