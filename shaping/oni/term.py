"""ONI: pays for messages of the game that a language model finds helpful, learned while the agent plays."""

from __future__ import annotations

import contextlib
import logging
import math
import time
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np

from shaping.llm import AnswerService, LanguageModel
from shaping.oni.annotators import (
    Annotator,
    LanguageModelAnnotator,
    RandomAnnotator,
    RecordedAnnotator,
    RuleAnnotator,
)
from shaping.oni.functions import Classification, Cosine, Counting, Motif, Ranking, Retrieval, RewardFunction
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
UNLABELLED = ("cosine", "motif", "count")  # functions that learn nothing from labels
WRITE_EVERY = 30.0  # seconds between two versions of the table of messages
MOST_VALUES = 200_000
LONGEST = 4096  # steps that can be scored again


@register_term("oni")
class OniTerm(RewardTerm):
    """Pays for helpful messages, judged online by a language model: ONI (Zheng et al. 2024, arXiv 2410.23022).

    With m the message that a step brings and N(m) how often this episode has said it, the reward is

        r(m) / N(m)^beta        0 for an empty message, and for all before the first answer

    r is learned while the agent plays: new messages go to an annotator in the background, the newest first, each once;
    steps never wait for it (unless `patience` says so).

        retrieval       1 if m was labelled helpful
        classification  1 if a network says helpful with more than `eta`; it generalises to messages never labelled
        ranking         z [z > tau], z the normalised score of a network that was fitted to pairs
        cosine          similarity to the goal as bags of words (ELLM); count  1;  motif  a ranking fitted to a file

    Args:
        function: which r; see above.
        annotator: "llm", "rules" (regular expressions), "recorded" (a file), "random"; or an `Annotator` of yours.
        goal: what the game is about, in a sentence, for the language model and the cosine.
        entry: the info entry that holds the message.
        beta: of the count decay; 0 pays every time, and what can be repeated is farmed.
        labels: "inverted" and "shuffled" spoil them, for comparison.
        threshold: score above which a message is helpful.
        quantile: the threshold is this quantile of all scores instead.
        eta: of classification.
        tau: of ranking, in deviations; of cosine, a similarity.
        rank_normalize: False pays the ranking's raw score, as the paper's released code does.
        align: "post" pays a step for the message it brings; "pre" for the one before, as the paper's code does, which
            never pays the last message of an episode.
        relabel: score a rollout's steps again at its end, with what is known by then (PPO, A2C, RecurrentPPO).
        patience: seconds in all that steps may wait for answers; inf makes runs repeatable.
        orders: in how many orders the language model is shown its examples; scores are the mean.
        rules: regular expressions of helpful messages, for annotator=rules; empty for `shaping.oni.annotators.RULES`,
            which also says how scores are written.
        recorded: file for annotator=recorded, such as an earlier run's messages.csv.
        rate: share of helpful messages, for annotator=random.
        pairs: file for function=motif.
        vectors: file of word vectors for function=cosine; None compares words.
        network: "small", or "paper" for its sizes.
        learning_rate, batch_size, gradient_steps: of the network: Adam, examples a step, steps an update at most.
        language_model: whom to ask; scripts.train makes it of the group llm.

    Raises:
        ValueError: at construction or `bind`, for what cannot work.
    """

    def __init__(
        self,
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
    ) -> None:
        for name, value, allowed in (
            ("function", function, FUNCTIONS),
            ("labels", labels, ("as_given", "inverted", "shuffled")),
            ("align", align, ("post", "pre")),
            ("network", network, ("small", "paper")),
        ):
            if value not in allowed:
                raise ValueError(f"{name}={value!r}: expected one of {', '.join(allowed)}")
        if isinstance(annotator, str) and annotator not in ANNOTATORS:
            raise ValueError(f"annotator={annotator!r}: expected one of {', '.join(ANNOTATORS)}")
        for name, number, low, high in (
            ("beta", beta, 0.0, math.inf),
            ("threshold", threshold, -math.inf, math.inf),
            ("eta", eta, 0.0, 1.0),
            ("tau", tau, -math.inf, math.inf),
            ("rate", rate, 0.0, 1.0),
            ("quantile", 0.5 if quantile is None else quantile, 0.0, 1.0),
            ("learning_rate", learning_rate, 1e-12, 1.0),
        ):
            if not (math.isfinite(number) and low <= number <= high):
                raise ValueError(f"{name}={number}: expected a number from {low} to {high}")
        for name, count in (("orders", orders), ("batch_size", batch_size), ("gradient_steps", gradient_steps)):
            if count < 1:
                raise ValueError(f"{name}={count}: expected at least 1")
        if math.isnan(patience) or patience < 0:
            raise ValueError(f"patience={patience}: expected seconds, 0 or more")
        if not entry:
            raise ValueError("entry is empty: expected the name of the info entry that holds the message")
        for name, file, needed in (
            ("recorded", recorded, annotator == "recorded" and function not in UNLABELLED),
            ("pairs", pairs, function == "motif"),
        ):
            if needed and not file:
                raise ValueError(f"{name} is missing: give the file")
        self.function_name = function
        self.annotator_name: str = annotator if isinstance(annotator, str) else "given"
        self.goal, self.entry, self.beta, self.align = goal, entry, beta, align
        self.relabels = relabel
        self.patience, self.orders, self.rate = patience, orders, rate
        self.tau, self.eta, self.rank_normalize = tau, eta, rank_normalize
        self.network, self.files = network, (pairs, vectors)
        self.fitting: dict[str, Any] = {
            "learning_rate": learning_rate,
            "batch_size": batch_size,
            "steps": gradient_steps,
        }
        self._label_options: tuple[Any, ...] = (labels, threshold, quantile)
        self.language_model = language_model
        self.requires = frozenset({entry})
        self.annotator: Annotator | None = None if isinstance(annotator, str) else annotator
        if function in UNLABELLED:
            self.annotator_name = "none"
        elif annotator == "rules":
            self.annotator = RuleAnnotator(rules)
        elif annotator == "recorded":
            assert recorded is not None
            self.annotator = RecordedAnnotator(recorded)
        if function == "cosine":
            Cosine(goal, tau, vectors)  # refuses now, not when training begins

    def bind(self, setting: Setting) -> None:
        if self.annotator_name == "llm":
            if self.language_model is None:
                raise ValueError(
                    "annotator=llm asks a language model, and there is none: scripts.train takes it from the group "
                    "llm; from Python give language_model=LanguageModel()"
                )
            self.annotator = LanguageModelAnnotator(self.language_model, self.goal, self.orders)
        elif self.annotator_name == "random":
            self.annotator = RandomAnnotator(self.rate, setting.seed)
        self._folder = setting.folder
        use, threshold, quantile = self._label_options
        self.labels = Labels(use, threshold, quantile, setting.seed)
        self.function = self._function(setting.seed)
        self.table = MessageTable()
        self._service: AnswerService[str, float | None] | None = None
        if self.annotator is not None and self.annotator.workers > 0:
            self._service = AnswerService(
                self._ask, workers=self.annotator.workers, batch=self.annotator.batch, patience=self.patience
            )
        self._counts: list[dict[str, int]] = [{} for _ in range(setting.n_envs)]
        self._previous = [""] * setting.n_envs  # for align=pre
        self._values: dict[str, float] = {}
        self._seen: Counter[str] = Counter()  # since the last update, as the game wrote it
        self._paid: dict[str, float] = {}
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
                if message not in self.labels:  # dropped by a full queue, or left over by an earlier process
                    self._service.submit(message)
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
        if self.annotator_name == "llm" and self.language_model is not None:
            metrics |= {f"model_{name}": value for name, value in self.language_model.metrics().items()}
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
            "function": (self.function_name, self.network),
            "labels": self.labels.state_dict(),
            "learned": self.function.state_dict(),
            "table": self.table.state_dict(),
            "steps": self._all_steps,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` gave. Labels of another annotator, and what was learned from them, stay behind.

        Raises:
            ValueError: the state is of another reward function.
        """
        if tuple(state["function"]) != (self.function_name, self.network):
            raise ValueError(
                f"this state is of function={state['function'][0]}, network={state['function'][1]}, this term has "
                f"function={self.function_name}, network={self.network}; resume with the same"
            )
        self.table.load_state_dict(state["table"])
        self._all_steps = int(state["steps"])
        self._values.clear()
        own = None if self.annotator is None else self.annotator.identity
        if None not in (own, state["annotator"]) and state["annotator"] != own:
            log.warning("the labels are of %s and this is %s: they are collected anew", state["annotator"], own)
            return
        self.labels.load_state_dict(state["labels"])
        self.function.load_state_dict(state["learned"])

    def close(self) -> None:
        if getattr(self, "_service", None) is not None:
            assert self._service is not None
            self._service.close()
        if getattr(self, "_changed", False):
            self._write()
        if self.language_model is not None:
            self.language_model.close()

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
                if message and message not in self.labels:
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
            self.labels.add(message, score)
        if answers and isinstance(self.function, Retrieval):
            fresh = {message for message, _ in answers}
            shuffled = self.labels.use == "shuffled"  # a new label may have taken the place of any
            self._score([message for message in self._values if shuffled or clean(message) in fresh])

    def _ask(self, messages: list[str]) -> Sequence[float | None]:
        assert self.annotator is not None
        return self.annotator.annotate(messages)

    def _function(self, seed: int) -> RewardFunction:
        pairs, vectors = self.files
        if self.function_name == "retrieval":
            return Retrieval(self.labels)
        if self.function_name == "count":
            return Counting()
        if self.function_name == "cosine":
            return Cosine(self.goal, self.tau, vectors)
        network: Any = self.network
        options = {"seed": seed, **self.fitting}
        if self.function_name == "classification":
            return Classification(self.labels, network, eta=self.eta, **options)
        if self.function_name == "ranking":
            return Ranking(self.labels, network, tau=self.tau, normalise=self.rank_normalize, **options)
        assert pairs is not None
        return Motif(pairs, network, normalise=self.rank_normalize, **options)

    def _write(self) -> None:
        self._written, self._changed = time.monotonic(), False
        if self._folder is not None:
            with contextlib.suppress(OSError):  # a full disk costs the table, not the run
                self.table.write(self._folder, self.labels, self.function.values)
