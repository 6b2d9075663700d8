"""How likely texts are to follow a prompt, read from the next token's log-probabilities."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from shaping.llm.endpoint import LEFT_OUT, Broken, Fields, Refused, TimedOut
from shaping.llm.errors import Rejected

LIKELIEST = (100, 20, 5)
"""Log-probabilities asked for at a position: llama.cpp gives 100, else vLLM 20, else OpenAI 5."""
HOPELESS = 12.0  # nats below the best
MOST_PROMPTS = 32  # of one request
MOST_SPLITS = 10_000  # answers whose tokens are remembered

Tokens = Mapping[str, float]
"""What may come next -> its log-probability."""


class Continuations:
    """Scores answers as continuations, with the requests of a question in one batch.

    A model tells what may follow one text, so an answer of five tokens takes five prompts: the
    question, the question with the answer's first token behind it, and so on. Where an answer's
    tokens end is remembered from question to question: all prompts then go in one request, whose
    common beginning the server evaluates once. Before that it may be guessed, at words; a guess
    that was wrong costs a further request, never the score.

    Args:
        post: (body, fields) -> the reply of ``/completions``; see `shaping.llm.endpoint`.
        fields: further fields of every request.
        guesses: guess from the first question on; the server must be known to take batches.
    """

    def __init__(self, post: Callable[[Mapping[str, Any], Fields], Any], fields: Fields, guesses: bool = False) -> None:
        self._post = post
        self._guesses = guesses
        self._takes_batches = guesses
        self._fields: Fields = {
            "max_tokens": (1, LEFT_OUT),
            "temperature": (0.0, LEFT_OUT),
            "logprobs": LIKELIEST,
            **fields,
        }
        self._most_prompts = MOST_PROMPTS
        self._splits: dict[str, tuple[str, ...]] = {}  # answer -> its beginnings, token by token

    def scores(self, prompt: str, answers: Sequence[str]) -> dict[str, float]:
        """Answer -> log-probability, as `LanguageModel.choose` has it."""
        told: dict[str, Tokens] = {}
        scores: dict[str, float] = {}
        unseen = 0
        for place, answer in enumerate(answers):
            best = max(scores.values(), default=-math.inf)
            score, beginnings, seen = 0.0, [""], True
            while score >= best - HOPELESS and beginnings[-1] != answer:  # else the rest only makes it less likely
                text = beginnings[-1]
                if text not in told:
                    wanted = self._beginnings(answer, text)
                    for other in answers[place + 1 :]:
                        wanted += self._beginnings(other, "")
                    told.update(self._told(prompt, [begun for begun in dict.fromkeys(wanted) if begun not in told]))
                token, value, known = _next_token(told[text], answer[len(text) :])
                score, seen = score + value, seen and known
                beginnings.append(text + token)
            scores[answer] = score
            unseen += not seen
            self._remember(answer, beginnings)
        if unseen == len(answers):
            likely = sorted(told[""], key=told[""].__getitem__)[:-6:-1]
            raise Rejected(f"none of the answers {tuple(answers)} is among what the model would say: {likely}")
        return scores

    def _beginnings(self, answer: str, text: str) -> list[str]:
        """`text` and the beginnings of an answer that follow it: remembered, or guessed."""
        remembered = self._splits.get(answer, ())
        if text in remembered:
            return [begun for begun in remembered if len(begun) >= len(text)]
        return _guessed(answer, text) if self._guesses else [text]

    def _remember(self, answer: str, beginnings: list[str]) -> None:
        if len(self._splits) >= MOST_SPLITS:
            self._splits.clear()
        self._splits[answer] = (*beginnings[:-1], *_guessed(answer, beginnings[-1]))

    def _told(self, prompt: str, texts: Sequence[str]) -> dict[str, Tokens]:
        """What may follow the prompt with each of these texts behind it."""
        told: dict[str, Tokens] = {}
        waiting = list(texts)
        while waiting:
            batch = waiting[: self._most_prompts]
            told.update(zip(batch, self._asked([prompt + text for text in batch]), strict=True))
            waiting = waiting[len(batch) :]
        return told

    def _asked(self, prompts: list[str]) -> list[Tokens]:
        """What may follow each prompt: one request, or smaller ones where that is refused."""
        if len(prompts) == 1:
            return _read(self._post({"prompt": prompts[0]}, self._fields), 1)
        try:
            told = _read(self._post({"prompt": prompts}, self._fields), len(prompts))
            self._takes_batches = True
            return told
        except TimedOut:
            self._most_prompts = max(1, len(prompts) // 2)  # the next question has it easier
            raise
        except (Refused, _OtherCount, Broken) as error:
            if self._takes_batches and isinstance(error, Broken):
                raise
            middle = len(prompts) // 2
            told = self._asked(prompts[:middle]) + self._asked(prompts[middle:])
            self._most_prompts = min(self._most_prompts, len(prompts) - 1)  # it was the batch, not the question
            return told


class _OtherCount(Rejected):
    """Not as many choices as prompts: this endpoint reads the first one only."""


def _next_token(tokens: Tokens, rest: str) -> tuple[str, float, bool]:
    """The longest token that `rest` begins with, its log-probability, and whether it was told.

    One that was not told is less likely than all that were.
    """
    fitting = [token for token in tokens if token and rest.startswith(token)]
    if fitting:
        token = max(fitting, key=len)
        return token, tokens[token], True
    return _piece(rest), min(tokens.values()), False


def _piece(rest: str) -> str:
    match = re.match(r"\s*\w+|\s*\W|\s+", rest)
    assert match is not None
    return match.group()


def _guessed(answer: str, text: str) -> list[str]:
    """`text` and further beginnings of an answer, a word or a sign at a time."""
    beginnings = []
    while text != answer:
        beginnings.append(text)
        text += _piece(answer[len(text) :])
    return beginnings


def _read(reply: Any, prompts: int) -> list[Tokens]:
    """The first position's tokens of every choice, in the order of the prompts."""
    replies = reply if isinstance(reply, list) else [reply]  # older llama.cpp: one reply a prompt
    try:
        choices = [choice for one in replies for choice in one["choices"]]
        if len(choices) == prompts and not isinstance(reply, list):
            choices.sort(key=lambda choice: int(choice.get("index") or 0))
        if choices and len(choices) != prompts:
            raise _OtherCount(f"the endpoint gives {len(choices)} answers to {prompts} prompts")
        tokens = [_likely_tokens(choice["logprobs"]) for choice in choices]
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise Rejected(
            f"the endpoint tells no log-probabilities ({type(error).__name__}); use llm.api=chat for it"
        ) from None
    if not tokens or not all(tokens):
        raise Rejected("the endpoint tells no log-probabilities; use llm.api=chat for it")
    return tokens


def _likely_tokens(logprobs: Any) -> Tokens:
    """Of the first position, as llama.cpp (`content`) or OpenAI has it."""
    if logprobs.get("content"):
        pairs = [(entry["token"], entry["logprob"]) for entry in logprobs["content"][0]["top_logprobs"]]
    else:
        pairs = list(logprobs["top_logprobs"][0].items())
    return {str(token): float(value) for token, value in pairs if math.isfinite(float(value))}
