"""Questions in the background: a step of the environment never waits for a language model."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Hashable, Sequence
from typing import Generic, TypeVar

from foundation.checks import whole
from shaping.llm.errors import LanguageModelError, Unavailable

log = logging.getLogger(__name__)

Question = TypeVar("Question", bound=Hashable)
Answer = TypeVar("Answer")

FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0
"""Seconds until an unavailable model is asked again: the first time, and at most."""
MOST_ATTEMPTS = 3  # at a question that is rejected
MOST_GIVEN_UP = 100_000


class AnswerService(Generic[Question, Answer]):
    """Answers questions in background threads, the newest first.

    A question that waits, is being asked or was given up is not taken again. When more than `capacity` wait, the oldest
    is dropped, and may be submitted again. While the model is unavailable the questions wait; it is tried again after
    0.5, 1, 2 ... 30 seconds; that it is gone is said once, and that it is back. Threads start with the first question.

    Args:
        ask: questions -> as many answers, in their order; called in the threads. May raise `LanguageModelError`; after
            other errors, and an answer too few or too many, the questions are tried again, twice.
        workers: threads, that is, calls of `ask` at one time.
        batch: questions of one call, at most.
        capacity: questions that wait.
        patience: seconds in all that `wait_patiently` may wait; inf: always.
    """

    def __init__(
        self,
        ask: Callable[[list[Question]], Sequence[Answer]],
        *,
        workers: int = 1,
        batch: int = 1,
        capacity: int = 10_000,
        patience: float = 0.0,
    ) -> None:
        self._ask = ask
        self._batch = whole("batch", batch)
        self._patience = patient(patience)
        self._workers = whole("workers", workers)
        self._capacity = whole("capacity", capacity)
        self._waiting: OrderedDict[Question, int] = OrderedDict()  # question -> attempts so far; the newest last
        self._in_flight: set[Question] = set()
        self._given_up: set[Question] = set()
        self._answered: deque[tuple[Question, Answer]] = deque()
        self._changed = threading.Condition()
        self._threads: list[threading.Thread] = []
        self._stop = threading.Event()
        self._pause = 0.0  # seconds; above 0 while the model is unavailable
        self._resume_at = 0.0
        self._away_since = 0.0
        self._counts = dict.fromkeys(("answered", "failed", "given_up", "dropped"), 0)

    def submit(self, question: Question) -> bool:
        """Take a question; False if it is being dealt with already or was given up."""
        with self._changed:
            if self._stop.is_set():
                raise RuntimeError("this service is closed")
            if question in self._waiting:
                self._waiting.move_to_end(question)
                return False
            if question in self._in_flight or question in self._given_up:
                return False
            self._waiting[question] = 0
            if len(self._waiting) > self._capacity:
                self._waiting.popitem(last=False)
                self._counts["dropped"] += 1
            if not self._threads:
                self._start()
            self._changed.notify()
            return True

    @property
    def poll_ready(self) -> bool:
        """Is there an answer to `poll`? For hot paths."""
        return bool(self._answered)

    def poll(self) -> list[tuple[Question, Answer]]:
        """The answers since the last poll, oldest first. Costs next to nothing when there are none."""
        if not self._answered:
            return []
        with self._changed:
            answers = list(self._answered)
            self._answered.clear()
        return answers

    def wait(self, timeout: float | None = None) -> bool:
        """Until every question is answered or given up, or the model is found unavailable, or the time is over.

        Returns:
            whether nothing is left to be answered.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        with self._changed:
            while (self._waiting or self._in_flight) and not self._pause and not self._stop.is_set():
                left = None if deadline is None else deadline - time.monotonic()
                if left is not None and left <= 0:
                    break
                self._changed.wait(left)
            return not (self._waiting or self._in_flight)

    def wait_patiently(self) -> bool:
        """`wait` while patience lasts, which is for the whole of the service's life. Says whether it waited."""
        if self._patience <= 0 or not self.available:
            return False
        started = time.monotonic()
        self.wait(None if math.isinf(self._patience) else self._patience)
        self._patience -= time.monotonic() - started
        return True

    @property
    def available(self) -> bool:
        """False from a question that the model was not there for until the next answer."""
        return self._pause == 0.0

    def metrics(self) -> dict[str, float]:
        """Questions waiting, in flight, answered, given up, dropped, failed attempts, and whether the model answers."""
        with self._changed:
            return {
                "waiting": float(len(self._waiting)),
                "in_flight": float(len(self._in_flight)),
                "available": float(self.available),
                **{name: float(value) for name, value in self._counts.items()},
            }

    def close(self) -> None:
        """Stop; what waits is forgotten, and a request in flight is not waited for."""
        with self._changed:
            self._stop.set()
            self._waiting.clear()
            self._changed.notify_all()
        for thread in self._threads:
            thread.join(0.5)

    def _start(self) -> None:
        for index in range(self._workers):
            thread = threading.Thread(target=self._work, name=f"language-model-{index}", daemon=True)
            self._threads.append(thread)
            thread.start()

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._stop.is_set() or self._ready(), self._seconds_to_wait())
                if self._stop.is_set():
                    return
                if not self._ready():
                    continue
                taken = self._take()
            questions, answers = list(taken), []
            try:
                answers = list(self._ask(questions))
                if len(answers) != len(questions):
                    raise ValueError(f"{len(answers)} answers to {len(questions)} questions")
                error: Exception | None = None
            except Exception as raised:  # a thread that dies would end all annotation in silence
                error = raised
            with self._changed:
                if self._stop.is_set():
                    return
                self._in_flight.difference_update(taken)
                if error is None:
                    self._answered.extend(zip(questions, answers, strict=True))
                    self._counts["answered"] += len(answers)
                    self._back()
                else:
                    self._counts["failed"] += 1
                    self._put_back(taken, error)
                self._changed.notify_all()

    def _take(self) -> dict[Question, int]:
        """The next questions, the newest first, with the attempts so far."""
        question, attempts = self._waiting.popitem()
        taken = {question: attempts}
        # one question is enough to find out whether the model is back, and what failed may have spoilt its batch
        while self._waiting and not self._pause and not attempts and len(taken) < self._batch:
            question, more = self._waiting.popitem()
            if more:
                self._waiting[question] = more
                break
            taken[question] = 0
        self._in_flight.update(taken)
        return taken

    def _ready(self) -> bool:
        if not self._waiting:
            return False
        # while the model is away one question at a time finds out whether it is back
        return not self._pause or (not self._in_flight and time.monotonic() >= self._resume_at)

    def _seconds_to_wait(self) -> float | None:
        if self._pause and self._waiting and not self._in_flight:
            return max(0.01, self._resume_at - time.monotonic())
        return None

    def _put_back(self, taken: dict[Question, int], error: Exception) -> None:
        if isinstance(error, Unavailable):
            if not self._pause:
                self._away_since = time.monotonic()
                log.warning("the language model does not answer (%s); training goes on without it", error)
            self._pause = min(LONGEST_PAUSE, 2 * self._pause or FIRST_PAUSE)
            self._resume_at = time.monotonic() + self._pause
            self._waiting.update(reversed(taken.items()))  # the newest last, as they were
            return
        if isinstance(error, LanguageModelError):
            self._back()
        if not self._counts["given_up"]:
            log.warning(
                "a question was not answered (%s: %s); such questions are left out", type(error).__name__, error
            )
        for question, attempts in taken.items():
            if len(taken) > 1 or (attempts + 1 < MOST_ATTEMPTS and not isinstance(error, LanguageModelError)):
                self._waiting[question] = attempts + 1
                self._waiting.move_to_end(question, last=False)
                continue
            self._counts["given_up"] += 1
            if len(self._given_up) < MOST_GIVEN_UP:
                self._given_up.add(question)

    def _back(self) -> None:
        if self._pause:
            log.warning("the language model answers again after %.0f s", time.monotonic() - self._away_since)
            self._pause = 0.0


def patient(patience: float) -> float:
    """`patience`, where it is a number of seconds; inf is one.

    >>> patient(-1.0)
    Traceback (most recent call last):
    ValueError: patience=-1.0: expected seconds, 0 or more
    """
    if math.isnan(patience) or patience < 0:
        raise ValueError(f"patience={patience}: expected seconds, 0 or more")
    return patience
