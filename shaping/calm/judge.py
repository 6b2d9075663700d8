"""Which subgoal a transition achieves, in a language model's opinion."""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence

import numpy as np

from shaping.calm import prompts
from shaping.llm import LanguageModel, calibrated
from shaping.transitions import FloatArray


class SubgoalJudge:
    """Asks how likely each subgoal is to follow a transition, against none.

    The score of subgoal k is log p(k) - log p(none) as a continuation of few-shot examples. A transition achieves the
    subgoal with the highest score if that is above a threshold; the threshold is set once on examples of other things
    (`prompts.CALIBRATION`), never on the task's own transitions. At most one subgoal is achieved on a transition.

    Source: the judgement of subgoal terminations is CALM's (Pignatelli et al. 2024, arXiv 2409.12798). Its prompt asks
    for a dictionary of booleans, which small models cannot write.

    Args:
        model: that is asked.
        subgoals: their texts.
        form: what it sees of a transition, of `prompts.FORMS`.
        orders: in how many orders the examples are shown; scores are the mean. More cost as much more.

    Raises:
        ValueError: unknown form, no order.
    """

    def __init__(self, model: LanguageModel, subgoals: Sequence[str], form: str = "caption", orders: int = 1) -> None:
        if form not in prompts.FORMS:
            raise ValueError(f"form={form!r}: expected one of {', '.join(prompts.FORMS)}")
        if orders < 1:
            raise ValueError(f"orders={orders}: expected at least 1")
        self.model = model
        self.subgoals = tuple(subgoals)
        self.form = form
        self.orders = orders
        self._threshold: float | None = None
        self._calibrating = threading.Lock()

    def scores(self, text: str) -> FloatArray:
        """(number of subgoals,) for a transition in words (`prompts.event`). Asks, and waits for the answer.

        Raises:
            LanguageModelError: there is none.
        """
        return self._mean(text, self.subgoals)

    def known(self, text: str) -> FloatArray | None:
        """The same from the cache alone, or None."""
        allowed = prompts.answers(self.subgoals)
        found = []
        for order in range(self.orders):
            answer = self.model.known(prompts.prompt(self.form, text, order), allowed, version=prompts.PROMPT_VERSION)
            if answer is None:
                return None
            found.append(_relative(answer, allowed))
        return np.mean(found, axis=0)

    def progress(self, text: str) -> float:
        """log p(any goal) - log p(none), without a list of subgoals: did the transition achieve anything?

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
        with self._calibrating:
            if self._threshold is None:
                self._threshold = calibrated(*self._calibration_scores())
            return self._threshold

    @property
    def known_threshold(self) -> float | None:
        """The threshold, None before it was asked for."""
        return self._threshold

    def set_threshold(self, threshold: float) -> None:
        """Take over the threshold of an earlier session."""
        self._threshold = threshold

    def threshold_known(self) -> bool:
        """Would `threshold` answer without asking?"""
        if self._threshold is not None:
            return True
        for one in prompts.CALIBRATION[self.form]:
            for order in range(self.orders):
                text, allowed = prompts.prompt(self.form, one.text, order), prompts.answers(one.goals)
                if self.model.known(text, allowed, version=prompts.PROMPT_VERSION) is None:
                    return False
        return True

    def _calibration_scores(self) -> tuple[list[float], list[float]]:
        """Highest scores of transitions that achieve their subgoal, and of those that achieve none."""
        achieved, nothing = [], []
        for one in prompts.CALIBRATION[self.form]:
            scores = self._mean(one.text, one.goals)
            if one.achieved is None:
                nothing.append(float(scores.max()))
            else:
                achieved.append(float(scores[one.goals.index(one.achieved)]))
        return achieved, nothing

    def _mean(self, text: str, goals: Sequence[str]) -> FloatArray:
        allowed = prompts.answers(goals)
        found = []
        for order in range(self.orders):
            answer = self.model.choose(prompts.prompt(self.form, text, order), allowed, version=prompts.PROMPT_VERSION)
            found.append(_relative(answer, allowed))
        return np.mean(found, axis=0)


def _relative(answer: dict[str, float], allowed: Sequence[str]) -> FloatArray:
    return np.array([answer[one] - answer[allowed[0]] for one in allowed[1:]])
