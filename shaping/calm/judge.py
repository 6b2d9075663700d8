"""Which subgoal a transition achieves, in a language model's opinion."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from foundation.checks import one_of, whole
from shaping.calm import prompts
from shaping.llm import LanguageModel, Threshold
from shaping.transitions import FloatArray


class SubgoalJudge:
    """Asks how likely each subgoal is to follow a transition, against none.

    The score of subgoal k is log p(k) - log p(none) as a continuation of few-shot examples. A
    transition achieves the subgoal with the highest score if that is above a threshold; the
    threshold is set once on examples of other things (`prompts.CALIBRATION`), never on the task's
    own transitions. At most one subgoal is achieved on a transition.

    Source: the judgement of subgoal terminations is CALM's (Pignatelli et al. 2024, arXiv
    2409.12798). Its prompt asks for a dictionary of booleans, which small models cannot write.

    Args:
        model: that is asked.
        subgoals: their texts.
        form: what it sees of a transition, of `prompts.FORMS`.
        orders: in how many orders the examples are shown; scores are the mean. More cost as much
            more.

    Raises:
        ValueError: unknown form, no order.
    """

    def __init__(self, model: LanguageModel, subgoals: Sequence[str], form: str = "caption", orders: int = 1) -> None:
        self.model = model
        self.subgoals = tuple(subgoals)
        self.form = one_of("form", form, prompts.FORMS)
        self.orders = whole("orders", orders)
        examples = [(example, example.achieved is not None) for example in prompts.CALIBRATION[form]]
        self._threshold = Threshold(examples, self._asked_score, self._known_score)

    def scores(self, text: str) -> FloatArray:
        """(number of subgoals,) for a transition in words (`prompts.event`).

        Asks, and waits for the answer.

        Raises:
            LanguageModelError: there is none.
        """
        return self._mean(text, self.subgoals)

    def known(self, text: str) -> FloatArray | None:
        """The same from the cache alone, or None."""
        return self._known_mean(text, self.subgoals)

    def progress(self, text: str) -> float:
        """log p(any goal) - log p(none), without a list of subgoals: did it achieve anything?

        Raises:
            LanguageModelError: there is no answer.
        """
        values = []
        for order in range(self.orders):
            allowed = prompts.answers([])
            answer = self.model.choose(prompts.prompt(self.form, text, order), allowed, version=prompts.PROMPT_VERSION)
            nothing = min(answer[allowed[0]], -1e-6)
            values.append(math.log(-math.expm1(nothing)) - nothing)
        return float(np.mean(values))

    def decide(self, scores: FloatArray) -> tuple[int, ...]:
        """The subgoals that a transition with these scores achieves: one, or none."""
        best = int(np.argmax(scores))
        return (best,) if scores[best] > self.threshold() else ()

    def threshold(self) -> float:
        """Asks for the calibration's examples the first time.

        Raises:
            LanguageModelError: they were not answered.
        """
        return self._threshold.ask()

    @property
    def known_threshold(self) -> float | None:
        """The threshold, None before it was asked for."""
        return self._threshold.value

    def set_threshold(self, threshold: float) -> None:
        """Take over the threshold of an earlier session."""
        self._threshold.value = threshold

    def threshold_known(self) -> bool:
        """Would `threshold` answer without asking?"""
        return self._threshold.known(recorded=self.model.replay) is not None

    def _asked_score(self, example: prompts.Example) -> float:
        return _score(example, self._mean(example.text, example.goals))

    def _known_score(self, example: prompts.Example) -> float | None:
        scores = self._known_mean(example.text, example.goals)
        return None if scores is None else _score(example, scores)

    def _known_mean(self, text: str, goals: Sequence[str]) -> FloatArray | None:
        allowed = prompts.answers(goals)
        scores = []
        for order in range(self.orders):
            answer = self.model.known(prompts.prompt(self.form, text, order), allowed, version=prompts.PROMPT_VERSION)
            if answer is None:
                return None
            scores.append(_relative(answer, allowed))
        return np.asarray(np.mean(scores, axis=0))

    def _mean(self, text: str, goals: Sequence[str]) -> FloatArray:
        allowed = prompts.answers(goals)
        scores = []
        for order in range(self.orders):
            answer = self.model.choose(prompts.prompt(self.form, text, order), allowed, version=prompts.PROMPT_VERSION)
            scores.append(_relative(answer, allowed))
        return np.asarray(np.mean(scores, axis=0))


def _score(example: prompts.Example, scores: FloatArray) -> float:
    """That of what the example achieves; the highest where it achieves nothing."""
    return float(scores.max() if example.achieved is None else scores[example.goals.index(example.achieved)])


def _relative(answer: dict[str, float], allowed: Sequence[str]) -> FloatArray:
    return np.array([answer[goal] - answer[allowed[0]] for goal in allowed[1:]])
