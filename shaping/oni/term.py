"""ONI: pays for messages that a language model finds helpful, learned while the agent plays."""

from __future__ import annotations

import contextlib
import logging
import time
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np

from foundation.checks import number, one_of
from shaping.llm import AnswerService, LanguageModel, patient
from shaping.oni.annotators import (
    Annotator,
    LanguageModelAnnotator,
    RandomAnnotator,
    RecordedAnnotator,
    RuleAnnotator,
)
from shaping.oni.functions import (
    Classification,
    Cosine,
    Counting,
    Fitting,
    Motif,
    Ranking,
    Retrieval,
    RewardFunction,
)
from shaping.oni.labels import Labels
from shaping.oni.messages import MessageTable
from shaping.oni.prompts import clean
from shaping.registry import register_term
from shaping.terms import (
    BoolArray,
    FloatArray,
    Info,
    Observations,
    RewardTerm,
    RewardTermError,
    Rollout,
    Setting,
    Transitions,
)

log = logging.getLogger(__name__)

FUNCTIONS = ("retrieval", "classification", "ranking", "cosine", "motif", "count")
ANNOTATORS = ("llm", "rules", "recorded", "random")
WRITE_EVERY = 30.0  # seconds between two versions of the table of messages
MOST_VALUES = 200_000
LONGEST = 4096  # steps that can be scored again


@register_term("oni")
class OniTerm(RewardTerm):
    """Pays for helpful messages, judged online by a language model: ONI.

    Source: Zheng et al. 2024, arXiv 2410.23022.

    With m the message that a step brings and N(m) how often this episode has said it, the reward is

        r(m) / N(m)^beta        0 for an empty message, and for all before the first answer

    r is learned while the agent plays: messages go to an annotator in the background, the most
    frequent first, each once; steps never wait for it (unless `patience` says so).

        retrieval       1 if m was labelled helpful
        classification  1 if a network says helpful with more than `eta`, also of unseen messages
        ranking         z [z > tau], z the normalised score of a network that was fitted to pairs
        cosine          similarity to the goal as bags of words (ELLM)
        motif           a ranking fitted to a file
        count           1

    Args:
        function: which r; `from_config` has them by name.
        annotator: who labels messages; None where the function learns from no labels.
        labels: the data set that is to grow, and which scores count as helpful.
        entry: the info entry that holds the message.
        beta: of the count decay; 0 pays every time, and what can be repeated is farmed.
        align: "post" pays a step for the message it brings; "pre" for the one before, as the
            paper's code does, which never pays the last message of an episode.
        relabel: score a rollout's steps again at its end, with what is known by then.
        patience: seconds in all that steps may wait for answers; inf makes runs repeatable.

    Raises:
        ValueError: at construction or `bind`, for what cannot work.
    """

    card = {"goal": "task"}
    defaults = {"weight": 0.1}
    presets = {name: {"function": name} for name in FUNCTIONS}
    reads_rollout = False

    def __init__(
        self,
        function: RewardFunction | None = None,
        annotator: Annotator | None = None,
        labels: Labels | None = None,
        *,
        entry: str = "message",
        beta: float = 3.0,
        align: Literal["post", "pre"] = "post",
        relabel: bool = False,
        patience: float = 0.0,
    ) -> None:
        self.function = function if function is not None else Retrieval()
        self.annotator = annotator if self.function.labelled else None
        self.labels = labels if labels is not None else Labels()
        if self.function.labelled and not isinstance(annotator, Annotator):
            raise ValueError(
                f"function={self.function.name} learns from labels, and annotator={annotator!r} gives none: expected "
                "an instance of a subclass of shaping.oni.Annotator"
            )
        if not entry:
            raise ValueError("entry is empty: expected the name of the info entry that holds the message")
        self.entry = entry
        self.requires = frozenset({entry})
        self.beta = number("beta", beta, least=0)
        self.align = one_of("align", align, ("post", "pre"))
        self.relabels = relabel
        self.patience = patient(patience)
        self._service: AnswerService[str, float | None] | None = None
        self._changed = False

    @classmethod
    def from_config(
        cls,
        function: Literal["retrieval", "classification", "ranking", "cosine", "motif", "count"] = "retrieval",
        annotator: Literal["llm", "rules", "recorded", "random"] | Annotator = "llm",
        goal: str = "",
        entry: str = "message",
        beta: float = 3.0,
        labels: Literal["as_given", "inverted", "shuffled"] = "as_given",
        threshold: float = 0.0,
        quantile: float | None = None,
        eta: float = 0.5,
        tau: float = 0.0,
        rank_normalize: bool = True,
        align: Literal["post", "pre"] = "post",
        relabel: bool = False,
        patience: float = 0.0,
        orders: int = 1,
        rules: Sequence[str] = (),
        recorded: str | None = None,
        rate: float = 0.4,
        pairs: str | None = None,
        vectors: str | None = None,
        network: Literal["small", "paper"] = "small",
        learning_rate: float = 1e-3,
        batch_size: int = 64,
        gradient_steps: int = 32,
        language_model: LanguageModel | None = None,
    ) -> OniTerm:
        """The term from names and numbers: its configuration.

        Args:
            function: which r; see the class.
            annotator: "llm", "rules" (regular expressions), "recorded" (a file), "random"; or an
                `Annotator` of yours.
            goal: what the game is about, in a sentence, for the language model and the cosine.
            entry, beta, align, relabel, patience: see the class.
            labels: "inverted" and "shuffled" spoil them, for comparison.
            threshold: score above which a message is helpful.
            quantile: the threshold is this quantile of all scores instead.
            eta: of classification.
            tau: of ranking, in deviations; of cosine, a similarity.
            rank_normalize: False pays the ranking's raw score, as the paper's released code does.
            orders: in how many orders the language model is shown its examples; scores are the
                mean.
            rules: regular expressions of helpful messages, for annotator=rules; empty for
                `shaping.oni.annotators.RULES`, which also says how scores are written.
            recorded: file for annotator=recorded, such as an earlier run's messages.csv.
            rate: share of helpful messages, for annotator=random.
            pairs: file for function=motif.
            vectors: file of word vectors for function=cosine; None compares words.
            network, learning_rate, batch_size, gradient_steps: see `Fitting`.
            language_model: whom to ask; scripts.train makes it of the group llm.

        Raises:
            ValueError: for what cannot work.
        """
        one_of("function", function, FUNCTIONS)
        fitting = Fitting(network, learning_rate, batch_size, gradient_steps)
        functions: dict[str, RewardFunction] = {  # all, so that numbers are refused that are not used yet
            "retrieval": Retrieval(),
            "count": Counting(),
            "classification": Classification(eta, fitting),
            "ranking": Ranking(tau, rank_normalize, fitting),
        }
        if function == "cosine":
            functions["cosine"] = Cosine(goal, tau, vectors)
        elif function == "motif":
            functions["motif"] = Motif(_given("pairs", pairs), rank_normalize, fitting)
        chosen = functions[function]
        annotators: dict[str, Annotator] = {
            "llm": LanguageModelAnnotator(language_model, goal, orders),
            "random": RandomAnnotator(rate),
        }
        if isinstance(annotator, str):
            one_of("annotator", annotator, ANNOTATORS)
            if annotator == "rules" and chosen.labelled:
                annotators["rules"] = RuleAnnotator(rules)
            elif annotator == "recorded" and chosen.labelled:
                annotators["recorded"] = RecordedAnnotator(_given("recorded", recorded))
        return cls(
            chosen,
            annotators.get(annotator) if isinstance(annotator, str) else annotator,
            Labels(labels, threshold, quantile),
            entry=entry,
            beta=beta,
            align=align,
            relabel=relabel,
            patience=patience,
        )

    def bind(self, setting: Setting) -> None:
        if self.annotator is not None:
            self.annotator.bind(setting.seed)
        self._folder = setting.folder
        self.labels.bind(setting.seed)
        self.function.bind(self.labels, setting.seed)
        self.table = MessageTable()
        self._service = None
        if self.annotator is not None and self.annotator.workers > 0:
            self._service = AnswerService(
                self._ask, workers=self.annotator.workers, batch=self.annotator.batch, patience=self.patience
            )
        self._counts: list[dict[str, int]] = [{} for _ in range(setting.n_envs)]
        self._previous = [""] * setting.n_envs  # for align=pre
        self._values: dict[str, float] = {}
        self._seen: Counter[str] = Counter()  # since the last update, as the game wrote it
        self._paid: dict[str, float] = {}
        self._unjudged: set[str] = set()  # answered with what is no score; not asked about again
        self._steps = self._rewarded = self._not_recorded = 0
        self._all_steps = 0
        self._trace: deque[list[tuple[int, str, float, float]]] = deque(maxlen=LONGEST)
        self._written = time.monotonic()
        self._changed = False

    def reset(self, observations: Observations, infos: Sequence[Info], mask: BoolArray) -> None:
        for row in np.flatnonzero(mask).tolist():
            message = infos[row].get(self.entry, "")
            self._counts[row] = {message: 1} if message and self.align == "post" else {}
            self._previous[row] = message

    def __call__(self, batch: Transitions) -> FloatArray:
        if self._service is not None and self._service.poll_ready:
            self._take_answers()
        rewards = np.zeros(len(batch))
        said = self._said(batch.infos)
        values = self._values
        if len(values) > MOST_VALUES:  # a world without end: begin anew with what is frequent now
            values.clear()
        new = [message for _, message, _ in said if message not in values]
        if new:
            self._meet(new)
        trace = []
        for row, message, decay in said:
            value = values[message]
            if value:
                reward = value * decay
                rewards[row] = reward
                self._paid[message] = self._paid.get(message, 0.0) + reward
                self._rewarded += 1
            if self.relabels:
                trace.append((row, message, decay, float(rewards[row])))
        if self.relabels:
            self._trace.append(trace)
        self._steps += len(batch)
        return rewards

    def relabel(self) -> FloatArray | None:
        if not self.relabels:
            return None
        deltas = np.zeros((len(self._trace), len(self._counts)))
        missing = [m for m in dict.fromkeys(m for step in self._trace for _, m, _, _ in step) if m not in self._values]
        if missing:
            self._score(missing)
        for index, step in enumerate(self._trace):
            for row, message, decay, paid in step:
                deltas[index, row] = self._values[message] * decay - paid
        self._trace.clear()
        return deltas

    def update(self, rollout: Rollout) -> Mapping[str, float]:
        self._take_answers()
        self._all_steps += self._steps
        seen: Counter[str] = Counter()
        for message, count in self._seen.items():
            seen[clean(message)] += count
        paid: Counter[str] = Counter()
        for message, reward in self._paid.items():
            paid[clean(message)] += reward  # type: ignore[assignment]
        self.table.add(self._all_steps, seen, paid)
        moved = self.labels.settle()
        learned = self.function.fit(seen)
        if moved or learned:
            self._values.clear()
            self._score(list(self._seen))
        if self._service is not None:
            for message in seen:
                if self._to_be_judged(message):  # also what a full queue dropped or an earlier process left over
                    self._service.submit(message, self.table.counts[message])
        metrics = {
            **learned,
            "messages": float(len(self.table.counts)),
            "rewarded_share": self._rewarded / max(1, self._steps),
            "reward_mean": sum(self._paid.values()) / max(1, self._steps),
        }
        if self.annotator is not None:
            helpful = self.labels.scores() > self.labels.threshold
            metrics["labels"] = float(len(self.labels))
            metrics["labels_helpful"] = float(helpful.mean()) if len(helpful) else 0.0
            metrics["labels_refused"] = float(self.labels.refused)
            metrics["not_recorded"] = float(self._not_recorded)
        if self._service is not None:
            metrics |= {f"questions_{name}": value for name, value in self._service.metrics().items()}
        if self.annotator is not None:
            metrics |= self.annotator.metrics()
        self._seen.clear()
        self._paid.clear()
        self._steps = self._rewarded = 0
        self._changed = True
        if time.monotonic() - self._written > WRITE_EVERY:
            self._write()
        return metrics

    def state_dict(self) -> dict[str, Any]:
        return {
            "annotator": None if self.annotator is None else self.annotator.identity,
            "function": (self.function.name, self.function.size or "small"),
            "labels": self.labels.state_dict(),
            "learned": self.function.state_dict(),
            "table": self.table.state_dict(),
            "steps": self._all_steps,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` gave.

        Labels of another annotator, and what was learned from them, stay behind.

        Raises:
            ValueError: the state is of another reward function.
        """
        name, size = state["function"]
        if name != self.function.name or self.function.size not in (None, size):
            raise ValueError(
                f"this state is of function={name}, network={size}, this term has function={self.function.name}, "
                f"network={self.function.size}; resume with the same"
            )
        self.table.load_state_dict(state["table"])
        self._all_steps = int(state["steps"])
        self._values.clear()
        identity = None if self.annotator is None else self.annotator.identity
        if None not in (identity, state["annotator"]) and state["annotator"] != identity:
            log.warning("the labels are of %s and this is %s: they are collected anew", state["annotator"], identity)
            return
        self.labels.load_state_dict(state["labels"])
        self.function.load_state_dict(state["learned"])

    def closing_remark(self) -> str | None:
        if self.annotator is None:
            return None
        said = sum(1 for message in self.table.counts if message)
        judged = sum(1 for message in self.table.counts if message in self.labels)
        if judged >= said:
            return None
        reason = "still waiting for an answer"
        if self._service is None:
            reason = "the annotator has no score for the others"
        elif self._service.last_failure is not None:
            reason = self._service.last_failure
        return f"{judged} of {said} different messages were judged ({reason})"

    def close(self) -> None:
        if self._service is not None:
            self._service.close()
        if self._changed:
            self._write()
        if self.annotator is not None:
            self.annotator.close()

    def _said(self, infos: Sequence[Info]) -> list[tuple[int, str, float]]:
        """(environment, message, 1 / N^beta) of what the step said, empty messages left out."""
        entry, pre, said = self.entry, self.align == "pre", []
        try:
            for row, info in enumerate(infos):
                message = info[entry]
                if pre:
                    message, self._previous[row] = self._previous[row], message
                if message:
                    counts = self._counts[row]
                    count = counts[message] = counts.get(message, 0) + 1
                    self._seen[message] += 1
                    said.append((row, message, count**-self.beta))
        except KeyError:
            raise RewardTermError(
                f"the environment reports no info entry {entry!r}, whose text this term rewards; ask for it with "
                f"report=[{entry!r}] when it is made, or name another with entry="
            ) from None
        return said

    def _meet(self, messages: Sequence[str]) -> None:
        """Messages that have no value yet: have them labelled, and look what they are worth now."""
        if self.annotator is not None:
            waiting = False
            for message in map(clean, dict.fromkeys(messages)):
                if self._to_be_judged(message):
                    score = self.annotator.known(message)
                    if score is not None:
                        self.labels.add(message, score)
                    elif self._service is not None:
                        waiting |= self._service.submit(message)
                    else:
                        self._not_recorded += 1
            if waiting and self._service is not None and self._service.wait_patiently():
                self._take_answers()
        self._score(messages)

    def _to_be_judged(self, message: str) -> bool:
        return bool(message) and message not in self.labels and message not in self._unjudged

    def _score(self, messages: Sequence[str]) -> None:
        texts = {message: clean(message) for message in messages}
        distinct = [text for text in dict.fromkeys(texts.values()) if text]
        values = dict(zip(distinct, self.function.values(distinct).tolist(), strict=True))
        self._values.update({message: values.get(text, 0.0) for message, text in texts.items()})

    def _take_answers(self) -> None:
        if self._service is None:
            return
        answers = self._service.poll()
        for message, score in answers:
            if not self.labels.add(message, score) and len(self._unjudged) < MOST_VALUES:
                self._unjudged.add(message)
        if answers and self.function.immediate:
            fresh = {message for message, _ in answers}
            shuffled = self.labels.use == "shuffled"  # a new label may have taken the place of any
            self._score([message for message in self._values if shuffled or clean(message) in fresh])

    def _ask(self, messages: list[str]) -> Sequence[float | None]:
        assert self.annotator is not None
        return self.annotator.annotate(messages)

    def _write(self) -> None:
        self._written, self._changed = time.monotonic(), False
        if self._folder is not None:
            with contextlib.suppress(OSError):  # a full disk costs the table, not the run
                self.table.write(self._folder, self.labels, self.function.values)


def _given(name: str, file: str | None) -> str:
    if not file:
        raise ValueError(f"{name} is missing: give the file")
    return file
