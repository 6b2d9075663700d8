"""Reading what a model says in its own words: thoughts, labels and quotes around an answer."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from shaping.llm.errors import Rejected

MOST_TEXT = 100_000  # characters of an answer that are looked at
_THOUGHT = re.compile(r"<think(?:ing)?>.*?</think(?:ing)?>", re.DOTALL | re.IGNORECASE)
_OPENED = re.compile(r"<think(?:ing)?>.*\Z", re.DOTALL | re.IGNORECASE)
_CLOSED = re.compile(r"\A.*?</think(?:ing)?>", re.DOTALL | re.IGNORECASE)  # templates may open it in the prompt


@dataclass(frozen=True)
class Sampled:
    """A chat's answer.

    Attributes:
        text: without thoughts.
        score: its log-probability; 0 where the endpoint does not tell.
        thinking: it ended before the thoughts did.
    """

    text: str
    score: float
    thinking: bool

    @classmethod
    def of(cls, reply: Any) -> Sampled:
        """From the reply of ``/chat/completions``.

        Raises:
            Rejected: it is none.
        """
        try:
            choice = reply["choices"][0]
            said = str(choice["message"].get("content") or "")[:MOST_TEXT]
            tokens = [
                (str(token.get("token", "")), float(token["logprob"]))
                for token in (choice.get("logprobs") or {}).get("content") or ()
            ]
            cut = choice.get("finish_reason") == "length"
        except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
            raise Rejected(f"the answer does not follow OpenAI's protocol: {type(error).__name__}") from None
        text = without_thoughts(said)
        thinking = bool(_OPENED.search(_THOUGHT.sub("", said))) or (cut and not text.strip())
        return cls(text, _score(tokens), thinking)


def without_thoughts(text: str) -> str:
    """What is said after thinking aloud, as reasoning models do.

    >>> without_thoughts("<think>A door, or a key?</think>open the door")
    'open the door'
    """
    text = _OPENED.sub("", _THOUGHT.sub("", text))
    return _CLOSED.sub("", text).strip()


def chosen(text: str, answers: Sequence[str]) -> str | None:
    """The one answer that a text gives, as all of it, a line of it, or behind a label.

    >>> chosen("Goal: open the door.", ["none", "open the door"])
    'open the door'
    >>> chosen("I would not open the door", ["none", "open the door"]) is None
    True
    """
    known: dict[str, list[str]] = {}
    for answer in answers:
        known.setdefault(_plain(answer), []).append(answer)
    meant = {answer for said in _readings(text) for answer in known.get(_plain(said), ())}
    return meant.pop() if len(meant) == 1 else None


def json_part(text: str) -> str:
    """A fenced block's inside, else everything; Python's constants become JSON's."""
    blocks = re.findall(r"```(?:json|python)?\s*(.*?)```", text, re.DOTALL)
    part = blocks[-1] if blocks else text
    try:
        json.loads(part)
        return part
    except (ValueError, RecursionError):
        return re.sub(r"\bTrue\b", "true", re.sub(r"\bFalse\b", "false", re.sub(r"\bNone\b", "null", part)))


def is_choice(answer: Any) -> bool:
    """Is this what `LanguageModel.choose` keeps in the cache? Anybody may have written there."""
    return isinstance(answer, Mapping) and all(
        isinstance(score, int | float) and math.isfinite(score) for score in answer.values()
    )


def _readings(text: str) -> Iterator[str]:
    yield text
    for line in text.splitlines():
        yield line
        yield line.rpartition(":")[2]


def _plain(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.lower()))


def _score(tokens: Sequence[tuple[str, float]]) -> float:
    """The log-probability of the tokens behind the thoughts."""
    closing = max((place for place, (token, _) in enumerate(tokens) if "</think" in token), default=-1)
    score = sum(value for _, value in tokens[closing + 1 :])
    return min(score, 0.0) if math.isfinite(score) else 0.0
