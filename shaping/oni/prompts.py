"""The words in which a language model is asked whether a message of the game is good news.

A small model cannot answer such a question (docs/terms/oni.md), but it continues a list: the score
of a message is log p(" Yes") - log p(" No") after examples. The examples name no thing of any task
in this project.
"""

from __future__ import annotations

import random

PROMPT_VERSION = "oni-1"
"""Change it with every word below: answers in the cache are kept by it."""

ANSWERS = (" Yes", " No")
MOST_CHARACTERS = 256  # of a message, as long as NetHack's own

HEADER = "Messages of a dungeon game. A message is good if it says that the player made progress. The goal: {goal}"
DEFAULT_GOAL = "explore, get things, beat monsters, open the way and go down."

EXAMPLES = (
    ("f - a rusty lamp.", True),
    ("You see here a rock.", False),
    ("You open the chest.", True),
    ("It is dark.", False),
    ("You climb up to the tower.", True),
    ("Nothing happens.", False),
    ("You kill the orc!", True),
    ("You can't reach that.", False),
    ("There is an altar here.", False),
    ("$ - 5 gold pieces.", True),
    ("The rat bites!", False),
    ("b - a silver sword.", True),
    ("You see here a wooden flute.", False),
    ("Welcome to experience level 5.", True),
    ("This gate is locked.", False),
    ("You unlock the gate.", True),
    ("There is a lever here.", False),
    ("You stop. Your pony is in the way.", False),
    ("The gate opens.", True),
    ("You have no free hands.", False),
)
"""(message, is it good?); as many of both.

Of every kind of event there is one that happened and one that did not.
"""


def clean(message: str) -> str:
    """One line, at most 256 characters: what a game prints stays within its line of the list."""
    return " ".join(message.split())[:MOST_CHARACTERS]


def prompt(message: str, goal: str = "", order: int = 0) -> str:
    """The list up to where the answer follows.

    Args:
        message: cleaned.
        goal: in a sentence; "" for the usual one.
        order: 0 as above, else shuffled by this number. Scores of several orders may be averaged.
    """
    examples = list(EXAMPLES)
    if order:
        random.Random(order).shuffle(examples)
    lines = [HEADER.format(goal=clean(goal) or DEFAULT_GOAL), ""]
    lines += [f"Message: {text}\nGood?{ANSWERS[0] if good else ANSWERS[1]}\n" for text, good in examples]
    lines.append(f"Message: {message}\nGood?")
    return "\n".join(lines)


CALIBRATION = (
    ("h - a bronze bell.", True),
    ("You see here a bronze bell.", False),
    ("You kill the giant beetle!", True),
    ("You miss the giant beetle.", False),
    ("You unlock the box.", True),
    ("This box is locked.", False),
    ("You walk down to the cellar.", True),
    ("You can't go up here.", False),
    ("m - a wooden arrow.", True),
    ("There is a bench here.", False),
    ("$ - 40 coins.", True),
    ("The giant beetle bites!", False),
    ("The portcullis opens.", True),
    ("You have nothing to open it with.", False),
    ("You feel stronger!", True),
    ("You see no gate there.", False),
)
"""Further messages, for the threshold: never the task's own."""
