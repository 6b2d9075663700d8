"""Who says what a message is worth: a language model, rules, a recording, chance, or your own.

A score is a number: above 0 helpful, below unhelpful, further away surer.
"""

from __future__ import annotations

import csv
import math
import re
import zlib
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from foundation.checks import number, whole
from shaping.llm import LanguageModel, Threshold
from shaping.oni import prompts


class Annotator(ABC):
    """What a reward can be learned from. Yours goes into ``make_term("oni", annotator=mine)``."""

    batch: int = 1
    """Messages that `annotate` takes at once, at most."""

    workers: int = 0
    """Threads that may call `annotate` at one time; 0: it is never asked, only `known` is."""

    identity: str | None = None
    """Names it in checkpoints; scores of another one are not taken over.

    None while it is not known.
    """

    def bind(self, seed: int) -> None:  # noqa: B027 - optional
        """Once, before anything is asked. Raises ValueError where it cannot work."""

    @abstractmethod
    def known(self, message: str) -> float | None:
        """The score, if that costs nothing; None otherwise."""

    def annotate(self, messages: Sequence[str]) -> Sequence[float | None]:
        """Scores in the order of the messages; None for one that cannot be judged. May take long.

        Raises:
            shaping.llm.Unavailable: nobody is there now; the messages are asked about again later.
            shaping.llm.Rejected: it has no answer to these messages.
        """
        return [self.known(message) for message in messages]

    def metrics(self) -> Mapping[str, float]:
        """Of what it asked; for the term's own."""
        return {}

    def close(self) -> None:  # noqa: B027 - optional
        """Let go of processes and connections."""


class LanguageModelAnnotator(Annotator):
    """Scores are log p(" Yes") - log p(" No") after examples, less a threshold set on others.

    Zero-shot questions do not work with small models, and answers in free text are not to be
    trusted; see docs/terms/oni.md. ONI (Zheng et al. 2024, arXiv 2410.23022) asks a model of 8
    billion parameters in words.

    Args:
        model: that is asked; without one `bind` refuses.
        goal: in a sentence.
        orders: in how many orders the examples are shown; scores are the mean.
    """

    def __init__(self, model: LanguageModel | None, goal: str = "", orders: int = 1) -> None:
        self._model = model
        self.goal = goal
        self.orders = whole("orders", orders)
        self.workers = 0 if model is None or model.replay else model.max_in_flight
        self._threshold = Threshold(prompts.CALIBRATION, self._raw, self._raw_known)

    def bind(self, seed: int) -> None:
        if self._model is None:
            raise ValueError(
                "annotator=llm asks a language model, and there is none: scripts.train takes it from the group "
                "llm; from Python give language_model=LanguageModel()"
            )

    @property
    def model(self) -> LanguageModel:
        assert self._model is not None, "bind refuses"
        return self._model

    @property
    def identity(self) -> str | None:  # type: ignore[override]
        if self.model.identity is None:
            return None
        return f"{prompts.PROMPT_VERSION} of {self.model.identity}, {self.orders} orders, {self.goal!r}"

    def known(self, message: str) -> float | None:
        threshold = self._threshold.known(recorded=self.model.replay)
        raw = None if threshold is None else self._raw_known(message)
        return None if raw is None or threshold is None else raw - threshold

    def annotate(self, messages: Sequence[str]) -> list[float | None]:
        threshold = self._threshold.ask()
        return [self._raw(message) - threshold for message in messages]

    def metrics(self) -> Mapping[str, float]:
        return {f"model_{name}": value for name, value in self.model.metrics().items()}

    def close(self) -> None:
        if self._model is not None:
            self._model.close()

    def _raw(self, message: str) -> float:
        total = 0.0
        for order in range(self.orders):
            prompt = prompts.prompt(message, self.goal, order)
            answer = self.model.choose(prompt, prompts.ANSWERS, version=prompts.PROMPT_VERSION)
            total += answer[prompts.ANSWERS[0]] - answer[prompts.ANSWERS[1]]
        return total / self.orders

    def _raw_known(self, message: str) -> float | None:
        total = 0.0
        for order in range(self.orders):
            prompt = prompts.prompt(message, self.goal, order)
            answer = self.model.known(prompt, prompts.ANSWERS, version=prompts.PROMPT_VERSION)
            if answer is None:
                return None
            total += answer[prompts.ANSWERS[0]] - answer[prompts.ANSWERS[1]]
        return total / self.orders


RULES = (
    r"-1: \byou see here\b|\bthere (is|are)\b|\bnothing here\b",
    r"\byou (kill|destroy|defeat)\b",
    r"\bwelcome to experience level\b|\byou feel more (confident|experienced)\b",
    r"\byou (climb|walk|go|descend).*\b(down|stairs|level)\b",
    r"\byou unlock\b|\bthe (door|gate) opens\b|\bcrashes open\b|\bsucceed in (unlocking|picking)\b",
    r"\bkey\b",
    r"^\$ - |\bgold pieces?\b",
    r"\byou (find|discover)\b",
)
"""Regular expressions, each behind a score and a colon or, for 1, alone.

The first that is found in a message decides; where none is, the message is unhelpful, -1.
"""


class RuleAnnotator(Annotator):
    """A table of regular expressions, written like `RULES`; upper and lower case are the same.

    Raises:
        ValueError: a pattern that is none.
    """

    def __init__(self, rules: Sequence[str] = ()) -> None:
        self._rules: list[tuple[re.Pattern[str], float]] = []
        rules = tuple(rules) or RULES
        for rule in rules:
            scored = re.match(r"([+-]?\d+(?:\.\d+)?):\s*(.+)", rule)
            pattern, score = (scored[2], float(scored[1])) if scored else (rule, 1.0)
            try:
                self._rules.append((re.compile(pattern, re.IGNORECASE), score))
            except re.error as error:
                raise ValueError(f"rules: {pattern!r} is no regular expression: {error}") from None
        self.identity = f"rules {zlib.crc32(repr(rules).encode()):08x}"

    def known(self, message: str) -> float | None:
        return next((score for pattern, score in self._rules if pattern.search(message)), -1.0)


class RecordedAnnotator(Annotator):
    """Scores from a CSV file with the columns message and score: an earlier run's messages.csv.

    Rows without a score are left out, and of two about the same message the later counts. What is
    not in the file is never paid.

    Raises:
        ValueError: no such file, other columns, or a score that is no number, with its line.
    """

    def __init__(self, path: str | Path) -> None:
        self._scores: dict[str, float] = {}
        try:
            with Path(path).open(newline="", encoding="utf-8") as file:
                rows = csv.DictReader(file)
                missing = {"message", "score"} - set(rows.fieldnames or ())
                if missing:
                    raise ValueError(f"recorded={path}: it has no column {' and '.join(sorted(missing))}")
                for line, row in enumerate(rows, start=2):
                    if not row["score"]:
                        continue
                    try:
                        score = float(row["score"])
                    except ValueError:
                        score = math.nan
                    if not math.isfinite(score):
                        raise ValueError(f"recorded={path}, line {line}: the score is {row['score']!r}, no number")
                    self._scores[prompts.clean(row["message"])] = score
        except (OSError, UnicodeDecodeError) as error:
            raise ValueError(f"recorded={path}: it cannot be read ({error})") from error
        self.identity = f"recorded {zlib.crc32(repr(sorted(self._scores.items())).encode()):08x}"

    def known(self, message: str) -> float | None:
        return self._scores.get(message)


class RandomAnnotator(Annotator):
    """Helpful with a probability, whatever a message says; the same always gets the same score.

    Args:
        rate: the probability.
    """

    def __init__(self, rate: float = 0.4) -> None:
        self._rate = number("rate", rate, least=0, most=1)

    def bind(self, seed: int) -> None:
        self._seed = seed
        self.identity = f"random {self._rate} {seed}"

    def known(self, message: str) -> float | None:
        drawn = np.random.default_rng([self._seed, zlib.crc32(message.encode())]).random(2)
        return float(drawn[1] + 0.1) if drawn[0] < self._rate else -float(drawn[1] + 0.1)
