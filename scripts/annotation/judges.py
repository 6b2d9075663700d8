"""Who judges transitions (the model in several ways, symbols, rules), and how a judge is scored."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scripts.annotation.transitions import LabelledTransition
from shaping.calm import prompts
from shaping.calm.judge import SubgoalJudge
from shaping.llm import LanguageModel, LanguageModelError

Flags = NDArray[np.bool_]
JUDGES = ("model", "zero-shot", "symbolic", "action-rule", "always-yes")
ACTION_RULE = frozenset({"pickup", "apply"})
ZERO_SHOT_VERSION = "calm-zero-shot-1"


@dataclass(frozen=True)
class Score:
    """Binary judgements against the truth. Precision and recall are 0 where they are 0 / 0."""

    tp: int
    fp: int
    fn: int
    tn: int

    @classmethod
    def of(cls, judged: Flags, truth: Flags) -> Score:
        """From two arrays of the same shape.

        >>> Score.of(np.array([True, True, False]), np.array([True, False, False]))
        Score(tp=1, fp=1, fn=0, tn=1)
        """
        return cls(
            int((judged & truth).sum()),
            int((judged & ~truth).sum()),
            int((~judged & truth).sum()),
            int((~judged & ~truth).sum()),
        )

    @property
    def precision(self) -> float:
        return self.tp / max(1, self.tp + self.fp)

    @property
    def recall(self) -> float:
        return self.tp / max(1, self.tp + self.fn)

    @property
    def f1(self) -> float:
        return 2 * self.tp / max(1, 2 * self.tp + self.fp + self.fn)

    @property
    def accuracy(self) -> float:
        return (self.tp + self.tn) / max(1, self.tp + self.fp + self.fn + self.tn)

    def metrics(self) -> dict[str, float]:
        """precision, recall, f1, accuracy."""
        return {name: round(getattr(self, name), 4) for name in ("precision", "recall", "f1", "accuracy")}


@dataclass(frozen=True)
class Judgement:
    """What one judge said of one set.

    Attributes:
        something: (n,) a subgoal was achieved.
        each: (n, n_subgoals), None where the judge knows no subgoals.
        unanswered: how many of the transitions got no answer; they count as achieving nothing.
    """

    something: Flags
    each: Flags | None
    unanswered: int = 0


Judge = Callable[[Sequence[LabelledTransition]], Judgement]


def truth(transitions: Sequence[LabelledTransition], events: Sequence[str]) -> Flags:
    """What happened on each, (n, n_events)."""
    return np.array([[transition.labels[event] for event in events] for transition in transitions], bool)


def either(flags: Flags) -> Flags:
    """Any subgoal at all, (n,)."""
    return np.asarray(flags.any(axis=1))


def shown(transition: LabelledTransition, form: str) -> str:
    """A transition as the model sees it."""
    after = {
        "caption": transition.caption,
        "crop": transition.next_crop,
        "map": transition.next_map,
        "action": transition.action,
        "message": transition.message,
    }
    return prompts.event(form, after, {"crop": transition.crop, "map": transition.map})


def model_judge(judge: SubgoalJudge) -> Judge:
    """Which of the given subgoals, by the few-shot judge that the calm term uses."""

    def ask(transitions: Sequence[LabelledTransition]) -> Judgement:
        each = np.zeros((len(transitions), len(judge.subgoals)), bool)
        unanswered = 0
        for row, transition in enumerate(transitions):
            try:
                each[row, list(judge.decide(judge.scores(shown(transition, judge.form))))] = True
            except LanguageModelError as error:
                unanswered += 1
                _warn(error, unanswered)
        return Judgement(either(each), each, unanswered)

    return ask


def progress_judge(judge: SubgoalJudge) -> Judge:
    """Whether anything was achieved, without a list of subgoals: the paper's *discovered*."""

    def ask(transitions: Sequence[LabelledTransition]) -> Judgement:
        progressed = np.zeros(len(transitions), bool)
        unanswered = 0
        for row, transition in enumerate(transitions):
            try:
                progressed[row] = judge.progress(shown(transition, judge.form)) > 0.0
            except LanguageModelError as error:
                unanswered += 1
                _warn(error, unanswered)
        return Judgement(progressed, None, unanswered)

    return ask


def zero_shot_judge(model: LanguageModel, subgoals: Sequence[str], form: str) -> Judge:
    """Asked yes or no about each subgoal, without an example."""

    def ask(transitions: Sequence[LabelledTransition]) -> Judgement:
        each = np.zeros((len(transitions), len(subgoals)), bool)
        unanswered = 0
        for row, transition in enumerate(transitions):
            for column, subgoal in enumerate(subgoals):
                question = f"Question: Did the player {subgoal} with this? Answer yes or no.\nAnswer:"
                try:
                    answer = model.choose(
                        shown(transition, form) + question, [" Yes", " No"], version=ZERO_SHOT_VERSION
                    )
                    each[row, column] = answer[" Yes"] > answer[" No"]
                except LanguageModelError as error:
                    unanswered += 1
                    _warn(error, unanswered)
        return Judgement(either(each), each, unanswered)

    return ask


def _warn(error: LanguageModelError, unanswered: int) -> None:
    if unanswered == 1:
        print(f"WARNING: a transition was not judged ({error}); it counts as achieving nothing", file=sys.stderr)


def judges(
    model: LanguageModel | None,
    subgoals: Mapping[str, str],
    *,
    chosen: Sequence[str] = JUDGES,
    forms: Sequence[str] = prompts.FORMS,
    asked: str = "both",
    orders: int = 1,
) -> dict[str, Judge]:
    """Name -> judge: those that are chosen, the model's in every form.

    Args:
        model: whom `model` and `zero-shot` ask.
        subgoals: text -> event.
        chosen: of `JUDGES`.
        forms: how the model sees a transition.
        asked: "given": which of the subgoals; "discovered": whether anything was achieved; "both".
        orders: in how many orders the model sees its examples.
    """
    events, texts = list(subgoals.values()), list(subgoals)
    asking: dict[str, Judge] = {}
    if model is not None:
        short = (model.identity or "endpoint").split(".gguf")[0]
        for form in forms:
            judge = SubgoalJudge(model, texts, form, orders)
            suffix = f", {orders} orders" if orders > 1 else ""
            if "model" in chosen and asked in ("given", "both"):
                asking[f"{short} {form}{suffix}"] = model_judge(judge)
            if "model" in chosen and asked in ("discovered", "both"):
                asking[f"{short} {form} discovered{suffix}"] = progress_judge(judge)
        if "zero-shot" in chosen:
            asking[f"{short} {forms[0]} zero-shot"] = zero_shot_judge(model, texts, forms[0])

    def symbolic(transitions: Sequence[LabelledTransition]) -> Judgement:
        each = truth(transitions, events)
        return Judgement(either(each), each)

    def action_rule(transitions: Sequence[LabelledTransition]) -> Judgement:
        return Judgement(np.array([transition.action in ACTION_RULE for transition in transitions]), None)

    def always_yes(transitions: Sequence[LabelledTransition]) -> Judgement:
        return Judgement(np.ones(len(transitions), bool), None)

    simple = {"symbolic": symbolic, "action-rule": action_rule, "always-yes": always_yes}
    return asking | {name: judge for name, judge in simple.items() if name in chosen}
