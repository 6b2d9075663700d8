"""Which subgoals a step achieves: by symbols, by a language model, by what was distilled from it.

Every detector gives, for a batch, the rows where something was achieved and the columns of the
subgoals. Most steps achieve nothing, so the list is mostly empty and a step costs a look-up.
"""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from shaping.calm import prompts
from shaping.calm.classifier import CaptionClassifier
from shaping.calm.judge import SubgoalJudge
from shaping.calm.subgoals import Subgoal
from shaping.llm import AnswerService, LanguageModel, NotRecorded
from shaping.terms import BoolArray, FloatArray, Info, RewardTermError, Transitions

log = logging.getLogger(__name__)

Columns = tuple[int, ...]
Achievements = list[tuple[int, Columns]]
"""(environment, subgoals), only where something was achieved."""

MOST_TEXTS = 200_000
ANSWERS_AT_ONCE = 64


class Detector(ABC):
    """Says which subgoals a step's transitions achieve."""

    requires: frozenset[str] = frozenset()

    def reset(self, infos: Sequence[Info], mask: BoolArray) -> None:  # noqa: B027 - optional
        """Episodes start where ``mask`` is true."""

    @abstractmethod
    def __call__(self, batch: Transitions) -> Achievements:
        """Rows and columns of what the transitions achieve."""

    def update(self) -> Mapping[str, float]:
        """At a rollout's end: learn, and give metrics."""
        return {}

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:  # noqa: B027 - optional
        """Take over what `state_dict` gave."""

    def closing_remark(self) -> str | None:
        """What whoever reads the run's end should know; see `Part.closing_remark`."""
        return None

    def close(self) -> None:  # noqa: B027 - optional
        """Let go of threads."""


class SymbolicDetector(Detector):
    """Reads the environment's events: the truth, where there is one.

    Raises:
        ValueError: a subgoal without an event.
    """

    requires = frozenset({"events"})

    def __init__(self, subgoals: Sequence[Subgoal]) -> None:
        for subgoal in subgoals:
            if subgoal.event is None:
                raise ValueError(
                    f"the symbolic detector reads events, and subgoal {subgoal.text!r} names none: write it into the "
                    "file of subgoals, or use detector=model"
                )
        self._columns: dict[str, list[int]] = {}  # an event that several subgoals name achieves them all
        for column, subgoal in enumerate(subgoals):
            self._columns.setdefault(str(subgoal.event), []).append(column)

    def __call__(self, batch: Transitions) -> Achievements:
        achievements: Achievements = []
        for row, info in enumerate(batch.infos):
            if "events" in info:
                columns = {column for name in info["events"] for column in self._columns.get(name, ())}
                if columns:
                    achievements.append((row, tuple(sorted(columns))))
        return achievements


class RandomDetector(Detector):
    """Says yes to every subgoal at a rate: what subgoals are worth without their meaning."""

    def __init__(self, n_subgoals: int, rate: float, seed: int) -> None:
        self._n = n_subgoals
        self._rate = rate
        self._random = np.random.default_rng(seed)

    def __call__(self, batch: Transitions) -> Achievements:
        drawn = self._random.random((len(batch), self._n)) < self._rate
        return [(row, tuple(np.flatnonzero(drawn[row]).tolist())) for row in np.flatnonzero(drawn.any(axis=1)).tolist()]

    def state_dict(self) -> dict[str, Any]:
        return {"random": self._random.bit_generator.state}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._random.bit_generator.state = state["random"]


class ModelDetector(Detector):
    """A language model's judgement of every different transition, asked once and in the background.

    What was not answered yet counts as achieving nothing. With ``distil`` the answers teach a small
    classifier, and that decides about all transitions, also those that nobody has judged.

    Args:
        judge: that is asked.
        n_envs: environments.
        distil: decide by the classifier.
        patience: seconds in all that steps may wait for an answer; then they never do.
        seed: of the classifier.
    """

    def __init__(
        self, judge: SubgoalJudge, n_envs: int, *, distil: bool = False, patience: float = 0.0, seed: int = 0
    ) -> None:
        self.judge = judge
        self.requires = prompts.REQUIRES[judge.form]
        self._table: dict[Any, Columns] = {}  # what a transition was recognised by -> what it achieves, once known
        self._texts: dict[Any, str] = {}  # the same -> what the model is shown
        self._unanswered: Counter[str] = Counter()  # since the last update, what nobody has judged yet
        self._guesses: dict[str, Columns] = {}  # the classifier's, of those
        self._scores: dict[str, FloatArray] = {}
        self._classifier = CaptionClassifier(len(judge.subgoals), seed) if distil else None
        self._learned_from = 0
        self._previous: list[Any] = [""] * n_envs
        self._service: AnswerService[str, FloatArray] = AnswerService(
            self._ask, workers=judge.model.max_in_flight, patience=patience
        )
        self._not_recorded = 0

    def reset(self, infos: Sequence[Info], mask: BoolArray) -> None:
        if self.judge.form != "caption":
            entry = "crop" if self.judge.form == "crop" else "map"
            for row in np.flatnonzero(mask).tolist():
                self._previous[row] = infos[row][entry]

    def __call__(self, batch: Transitions) -> Achievements:
        if self._service.poll_ready:
            self._take_answers()
        try:
            return self._look_up(batch)
        except KeyError as missing:
            raise RewardTermError(
                f"the environment reports no info entry {missing}, and this detector reads "
                f"{', '.join(sorted(self.requires))}; ask for them with report=[...] when it is made"
            ) from None

    def _look_up(self, batch: Transitions) -> Achievements:
        achievements: Achievements = []
        table = self._table
        if self.judge.form == "caption":
            for row, info in enumerate(batch.infos):
                columns = table.get(info["caption"])
                if columns is None:
                    columns = self._meet(info["caption"], info, {})
                if columns:
                    achievements.append((row, columns))
            return achievements
        entry = "crop" if self.judge.form == "crop" else "map"
        for row, info in enumerate(batch.infos):
            before = self._previous[row]
            key = (before, info.get("action"), info.get("message"), info[entry])
            self._previous[row] = info[entry]
            columns = table.get(key)
            if columns is None:
                columns = self._meet(key, info, {entry: before})
            if columns:
                achievements.append((row, columns))
        return achievements

    def _meet(self, key: Any, info: Mapping[str, Any], before: Mapping[str, str]) -> Columns:
        """What a transition achieves that was not decided about yet."""
        text = self._texts.get(key)
        if text is None:
            text = self._met_first(key, info, before)
        scores = self._scores.get(text)
        if scores is None and not self.judge.model.replay:
            self._unanswered[text] += 1
            if text not in self._guesses:
                self._guesses[text] = () if self._classifier is None else self._classifier.decide(text)
            return self._guesses[text]
        if self._classifier is not None:
            self._table[key] = self._classifier.decide(text)
        else:
            self._table[key] = () if scores is None else self.judge.decide(scores)
        return self._table[key]

    def _met_first(self, key: Any, info: Mapping[str, Any], before: Mapping[str, str]) -> str:
        """A transition that was never seen before: look for its judgement, else ask."""
        if len(self._texts) >= MOST_TEXTS:  # a world without end: begin anew with what is frequent now
            self._table.clear()
            self._texts.clear()
            self._guesses.clear()
        text = self._texts[key] = prompts.event(self.judge.form, info, before)
        if text in self._scores:
            return text
        scores = self.judge.known(text) if self.judge.threshold_known() else None
        if scores is not None:
            self._scores[text] = scores
        elif self.judge.model.replay:
            self._not_recorded += 1
        else:
            self._service.submit(text)
            # early on it pays to wait: what an agent does without pay it unlearns
            if self._service.wait_patiently():
                self._take_answers()
        return text

    def _ask(self, texts: list[str]) -> list[FloatArray]:
        self.judge.threshold()
        return [self.judge.scores(text) for text in texts]

    def _take_answers(self) -> None:
        for text, scores in self._service.poll():
            self._scores[text] = scores

    def update(self) -> Mapping[str, float]:
        self._take_answers()
        for text, count in self._unanswered.items():
            if text not in self._scores:
                self._service.submit(text, count)  # also what a full queue had dropped
        self._unanswered.clear()
        if self._classifier is not None and len(self._scores) > self._learned_from:
            self._learned_from = len(self._scores)
            texts = list(self._scores)
            labels = np.zeros((len(texts), len(self.judge.subgoals)))
            for row, text in enumerate(texts):
                labels[row, list(self.judge.decide(self._scores[text]))] = 1.0
            self._classifier.fit(texts, labels)
            self._table.clear()
            self._guesses.clear()
        metrics = {f"model_{name}": value for name, value in self.judge.model.metrics().items()}
        metrics |= {f"questions_{name}": value for name, value in self._service.metrics().items()}
        metrics["transitions_different"] = float(len(self._texts))
        metrics["transitions_answered"] = float(len(self._scores))
        if self._not_recorded:
            metrics["not_recorded"] = float(self._not_recorded)
        return metrics

    def state_dict(self) -> dict[str, Any]:
        state: dict[str, Any] = {
            "form": self.judge.form,
            "subgoals": list(self.judge.subgoals),
            "model": self.judge.model.identity,
            "threshold": self.judge.known_threshold,
            "scores": {text: scores.tolist() for text, scores in self._scores.items()},
        }
        if self._classifier is not None:
            state["classifier"] = self._classifier.state_dict()
        return state

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` gave, but no answers of other subgoals, forms or models."""
        same = (state["form"], state["subgoals"]) == (self.judge.form, list(self.judge.subgoals))
        if not same or state["model"] not in (None, self.judge.model.identity):
            return
        self._scores = {text: np.array(scores) for text, scores in state["scores"].items()}
        if state["threshold"] is not None:
            self.judge.set_threshold(float(state["threshold"]))
        elif self._scores:
            self._scores = {}
        if self._classifier is not None and "classifier" in state:
            self._classifier.load_state_dict(state["classifier"])
            self._learned_from = len(self._scores)
        self._table.clear()
        self._texts.clear()
        self._guesses.clear()

    def closing_remark(self) -> str | None:
        met = len({*self._texts.values(), *self._scores})
        if len(self._scores) >= met:
            return None
        reason = self._service.last_failure or "still waiting for an answer"
        if self.judge.model.replay:
            reason = f"not recorded in {self.judge.model.cache.path}"
        return (
            f"{len(self._scores)} of {met} different transitions were judged by the language model; what was not "
            f"judged {'was decided by the classifier' if self._classifier is not None else 'paid nothing'} ({reason})"
        )

    def close(self) -> None:
        self._service.close()
        self.judge.model.close()


class Noisy(Detector):
    """Another detector with mistakes: what a judge of that quality would be worth.

    Args:
        detector: the other one.
        n_subgoals: how many subgoals there are.
        false_positives: probability, at every step and for every subgoal, of a yes that is none.
        false_negatives: probability that a yes is missed.
        seed: of the mistakes.
    """

    def __init__(
        self, detector: Detector, n_subgoals: int, false_positives: float, false_negatives: float, seed: int
    ) -> None:
        self._detector = detector
        self._invented = RandomDetector(n_subgoals, false_positives, seed)
        self._missed = false_negatives
        self._random = np.random.default_rng([seed, 1])
        self.requires = detector.requires

    def reset(self, infos: Sequence[Info], mask: BoolArray) -> None:
        self._detector.reset(infos, mask)

    def __call__(self, batch: Transitions) -> Achievements:
        said: dict[int, set[int]] = {}
        for row, columns in self._detector(batch):
            said[row] = {column for column in columns if self._random.random() >= self._missed}
        for row, columns in self._invented(batch):
            said.setdefault(row, set()).update(columns)
        return [(row, tuple(sorted(columns))) for row, columns in sorted(said.items()) if columns]

    def update(self) -> Mapping[str, float]:
        return self._detector.update()

    def closing_remark(self) -> str | None:
        return self._detector.closing_remark()

    def state_dict(self) -> dict[str, Any]:
        return {
            "detector": self._detector.state_dict(),
            "invented": self._invented.state_dict(),
            "random": self._random.bit_generator.state,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._detector.load_state_dict(state["detector"])
        self._invented.load_state_dict(state["invented"])
        self._random.bit_generator.state = state["random"]

    def close(self) -> None:
        self._detector.close()


def model_detector(
    model: LanguageModel | None, subgoals: Sequence[Subgoal], form: str, orders: int, n_envs: int, **options: Any
) -> ModelDetector:
    """A `ModelDetector` for these subgoals.

    Raises:
        ValueError: there is no model.
    """
    if model is None:
        raise ValueError(
            "this detector asks a language model, and there is none: scripts.train takes it from the group llm; from "
            "Python give language_model=LanguageModel()"
        )
    return ModelDetector(SubgoalJudge(model, [subgoal.text for subgoal in subgoals], form, orders), n_envs, **options)


__all__ = ["Achievements", "Detector", "ModelDetector", "Noisy", "NotRecorded", "RandomDetector", "SymbolicDetector"]
