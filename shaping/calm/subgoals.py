"""Subgoals of a task: given, or found by a language model; kept in a file that people can edit."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml
from pydantic import BaseModel, Field

from foundation.checks import number
from foundation.files import replace_text
from shaping.llm import LanguageModel, Rejected

MOST_SUBGOALS = 8
DECOMPOSITION_VERSION = "calm-decompose-1"
_EXAMPLES: Mapping[str, Sequence[str]] = {
    "Take the lamp from the shelf, light it, cross the dark cave with it and climb the ladder.": (
        "take the lamp",
        "light the lamp",
        "cross the cave",
    ),
    "Drink the potion to be able to swim, then swim to the island.": ("drink the potion",),
}
_INSTRUCTION = (
    "An agent in a text adventure must solve a task. List the steps that it must have achieved on the way, in order: "
    "short, each a verb and a thing, without the task's own end."
)

_HEADER = """\
# The subgoals of this run. Edit texts, weights and events, and go on with resume=, or start another run from it:
# shaping.terms.calm.file=THIS_FILE. A resumed run must keep their `number`: the agent sees one bit for each.
"""


@dataclass(frozen=True)
class Subgoal:
    """One subgoal of a task.

    Args:
        text: what to achieve, a verb and a thing: "open the door".
        event: the environment's event that is true exactly then, where there is one: what a
            symbolic detector reads.
        weight: of its reward.
    """

    text: str
    event: str | None = None
    weight: float = 1.0

    @property
    def name(self) -> str:
        """The text as an identifier, for metrics."""
        return re.sub(r"\W+", "_", self.text.strip().lower())


class _Steps(BaseModel):
    steps: list[str] = Field(min_length=1, max_length=2 * MOST_SUBGOALS)


def given(subgoals: Mapping[str, str]) -> list[Subgoal]:
    """Subgoals from a mapping text -> event ("" where there is none)."""
    return checked([Subgoal(text, event or None) for text, event in subgoals.items()])


def discovered(model: LanguageModel, task: str, known: Mapping[str, str]) -> list[Subgoal]:
    """The language model's own decomposition of a task's description.

    A step that is word for word one of the `known` ones takes over its event; others have none,
    until somebody writes one into the file. Repetitions, steps past the eighth and steps of the
    prompt's own examples are dropped.

    Raises:
        LanguageModelError: it gave none, or only those of the examples, as small models do with
            vague tasks.
        ValueError: there is no description to decompose.
    """
    if not task.strip():
        raise ValueError("subgoals are to be discovered from the task's description, which is empty: give task=")
    steps = model.structure(_prompt(task), _Steps, version=DECOMPOSITION_VERSION).steps
    events = {_same(text): event or None for text, event in known.items()}
    repeated = {_same(step) for example in _EXAMPLES.values() for step in example}
    texts = dict.fromkeys(_same(step) for step in steps if _same(step) and _same(step) not in repeated)
    if not texts:
        raise Rejected(f"the language model named no step of the task {task.strip()!r}, only those of the examples")
    return checked([Subgoal(text, events.get(text)) for text in list(texts)[:MOST_SUBGOALS]])


def _prompt(task: str) -> str:
    shown = "".join(
        f"Task: {example}\nSteps: {json.dumps({'steps': list(steps)})}\n\n" for example, steps in _EXAMPLES.items()
    )
    return f"{_INSTRUCTION}\n\n{shown}Task: {task.strip()}\nSteps:"


def checked(subgoals: Sequence[Subgoal]) -> list[Subgoal]:
    """The subgoals, if they can be used.

    Raises:
        ValueError: none at all, too many, two alike, one that begins another, an odd text or
            weight.
    """
    if not subgoals:
        raise ValueError("there are no subgoals; give subgoals={text: event}, a file, or source=discovered")
    if len(subgoals) > MOST_SUBGOALS:
        raise ValueError(f"{len(subgoals)} subgoals are more than {MOST_SUBGOALS}; keep those that matter")
    names = [subgoal.name for subgoal in subgoals]
    for subgoal in subgoals:
        if not subgoal.name.strip("_") or "\n" in subgoal.text or len(subgoal.text) > 80:
            raise ValueError(
                f"subgoal {subgoal.text!r}: expected one line of at most 80 characters, a verb and a thing"
            )
        if names.count(subgoal.name) > 1 or subgoal.name == "none":
            raise ValueError(f"subgoal {subgoal.text!r} stands twice, or is the word for no subgoal")
        number(f"the weight of subgoal {subgoal.text!r}", subgoal.weight, least=0)
    return list(subgoals)


def write(path: Path, subgoals: Sequence[Subgoal], task: str, source: str) -> None:
    """Write the file, whole or not at all."""
    entries = [{"text": subgoal.text, "event": subgoal.event, "weight": subgoal.weight} for subgoal in subgoals]
    content = {"task": task, "source": source, "number": len(entries), "subgoals": entries}
    body = yaml.safe_dump(content, sort_keys=False, width=110)
    replace_text(path, _HEADER + body)


def reread(path: Path, began_with: int | None = None) -> list[Subgoal]:
    """The subgoals of a run's own file, which may have been edited, but for their number.

    Args:
        path: the file.
        began_with: how many the run began with, for files that do not say it.

    Raises:
        ValueError: see `read`; or there are more or fewer of them than the run began with.
    """
    subgoals = read(path)
    began_with = yaml.safe_load(path.read_text()).get("number", began_with)
    if began_with is not None and began_with != len(subgoals):
        raise ValueError(
            f"{path} holds {len(subgoals)} subgoals, and the run began with {began_with}. Their number may not change, "
            "because the agent sees one bit for each: change texts, events and weights alone, or begin another run "
            f"with shaping.terms.calm.file={path}"
        )
    return subgoals


def read(path: Path) -> list[Subgoal]:
    """The subgoals of a file.

    Raises:
        ValueError: it is missing or holds something else; the message says what.
    """
    try:
        entries = yaml.safe_load(path.read_text())["subgoals"]
        subgoals = []
        for entry in entries:
            unknown = set(entry) - {"text", "event", "weight"}
            if unknown:
                raise ValueError(f"unknown {', '.join(sorted(unknown))}")
            event = entry.get("event")
            subgoals.append(
                Subgoal(str(entry["text"]), None if event is None else str(event), float(entry.get("weight", 1)))
            )
    except OSError as error:
        raise ValueError(f"the subgoals in {path} cannot be read: {error.strerror}") from error
    except (yaml.YAMLError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise ValueError(
            f"{path} holds no subgoals ({type(error).__name__}: {error}); expected a list `subgoals:` of entries with "
            "text, event and weight"
        ) from error
    return checked(subgoals)


def _same(text: str) -> str:
    """A step's text without numbering, case and closing stop."""
    return re.sub(r"^\s*(?:\d+[.)]|[-*])\s*", "", " ".join(text.split())).strip(" .!").lower()[:80]
