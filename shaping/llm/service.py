"""Questions in the background: a step of the environment never waits for a language model."""

from __future__ import annotations

import heapq
import itertools
import logging
import math
import threading
import time
from collections import deque
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
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


@dataclass
class _Waiting:
    """A question's place in the queue."""

    count: int
    stamp: int  # of its submission; later ones are larger
    attempts: int = 0


class AnswerService(Generic[Question, Answer]):
    """Answers questions in background threads, the most frequent first, the newest of equals.

    A question that waits, is being asked, has an answer that nobody has polled, or was given up is
    not taken again. When more than `capacity` wait, the rarest and oldest tenth is dropped, and may
    be submitted again. While the model is unavailable the questions wait; it is tried again after
    0.5, 1, 2 ... 30 seconds; that it is gone is said once, and that it is back. Threads start with
    the first question.

    Args:
        ask: questions -> as many answers, in their order; called in the threads. May raise
            `LanguageModelError`; after other errors, and an answer too few or too many, the
            questions are tried again, twice.
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
        self._waiting: dict[Question, _Waiting] = {}
        self._order: list[tuple[int, int, Question]] = []  # heap of (-count, -stamp, question), old entries among them
        self._stamps = itertools.count(1)
        self._in_flight: set[Question] = set()
        self._given_up: set[Question] = set()
        self._answered: deque[tuple[Question, Answer]] = deque()
        self._unpolled: set[Question] = set()
        self._changed = threading.Condition()
        self._threads: list[threading.Thread] = []
        self._stop = threading.Event()
        self._pause = 0.0  # seconds; above 0 while the model is unavailable
        self._failing = False  # since an error that is none of a language model's
        self._resume_at = 0.0
        self._away_since = 0.0
        self._counts = dict.fromkeys(("answered", "failed", "given_up", "dropped"), 0)
        self.last_failure: str | None = None
        """Why a question was not answered, the last time that one was not."""

    def submit(self, question: Question, count: int = 1) -> bool:
        """Take a question; False if it is being dealt with already or was given up.

        Args:
            question: to be asked.
            count: how often it has come up. A question that waits keeps its largest.
        """
        with self._changed:
            if self._stop.is_set():
                raise RuntimeError("this service is closed")
            place = self._waiting.get(question)
            if place is not None:
                place.count, place.stamp = max(place.count, count), next(self._stamps)
                self._queue(question, place)
                return False
            if question in self._in_flight or question in self._given_up or question in self._unpolled:
                return False
            place = self._waiting[question] = _Waiting(count, next(self._stamps))
            self._queue(question, place)
            if len(self._waiting) > self._capacity:
                self._drop()
            if not self._threads:
                self._start()
            self._changed.notify()
            return True

    @property
    def poll_ready(self) -> bool:
        """Is there an answer to `poll`? For hot paths."""
        return bool(self._answered)

    def poll(self) -> list[tuple[Question, Answer]]:
        """The answers since the last poll, oldest first. Costs next to nothing without any."""
        if not self._answered:
            return []
        with self._changed:
            answers = list(self._answered)
            self._answered.clear()
            self._unpolled.clear()
        return answers

    def wait(self, timeout: float | None = None) -> bool:
        """Until all questions are answered or given up, the model is gone, or the time is over.

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
        """`wait` while patience lasts, which is for the whole of the service's life.

        Says whether it waited.
        """
        if self._patience <= 0 or not self.available:
            return False
        started = time.monotonic()
        self.wait(None if math.isinf(self._patience) else self._patience)
        self._patience -= time.monotonic() - started
        return True

    @property
    def available(self) -> bool:
        """False from a question that the model failed over until the next answer."""
        return self._pause == 0.0 and not self._failing

    def metrics(self) -> dict[str, float]:
        """Questions that wait, are asked, were answered, given up, dropped; is the model there?"""
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
            error: BaseException | None = None
            try:
                answers = list(self._ask(questions))
                if len(answers) != len(questions):
                    raise ValueError(f"{len(answers)} answers to {len(questions)} questions")
            except BaseException as raised:  # SystemExit too: a thread that dies ends all annotation in silence
                error = raised
            with self._changed:
                if self._stop.is_set():
                    return
                self._in_flight.difference_update(taken)
                if error is None:
                    self._answered.extend(zip(questions, answers, strict=True))
                    self._unpolled.update(questions)
                    self._counts["answered"] += len(answers)
                    self._back()
                else:
                    self._counts["failed"] += 1
                    self.last_failure = f"{type(error).__name__}: {error}"
                    self._put_back(taken, error)
                self._changed.notify_all()

    # The queue ------------------------------------------------------------------------------------

    def _queue(self, question: Question, place: _Waiting) -> None:
        heapq.heappush(self._order, (-place.count, -place.stamp, question))
        if len(self._order) > 4 * len(self._waiting) + 100:  # most are places that questions have left
            self._order = [(-place.count, -place.stamp, question) for question, place in self._waiting.items()]
            heapq.heapify(self._order)

    def _pop(self) -> tuple[Question, _Waiting]:
        """The most frequent question that waits, the newest of those."""
        while True:
            _, stamp, question = heapq.heappop(self._order)
            place = self._waiting.get(question)
            if place is not None and place.stamp == -stamp:
                return question, self._waiting.pop(question)

    def _drop(self) -> None:
        """Make room for a while: looking for the rarest takes time, and a step waits for it."""
        places = self._waiting
        rarest = heapq.nsmallest(
            max(1, self._capacity // 10), places, key=lambda question: (places[question].count, places[question].stamp)
        )
        for question in rarest:
            del places[question]
        self._counts["dropped"] += len(rarest)

    def _take(self) -> dict[Question, _Waiting]:
        """The next questions with their places."""
        question, place = self._pop()
        taken = {question: place}
        # one question is enough to find out whether the model is back, and what failed may have
        # spoilt its batch
        while self._waiting and not self._pause and not place.attempts and len(taken) < self._batch:
            question, more = self._pop()
            if more.attempts:
                self._return([(question, more)])
                break
            taken[question] = more
        self._in_flight.update(taken)
        return taken

    def _return(self, taken: Iterable[tuple[Question, _Waiting]]) -> None:
        for question, place in taken:
            self._waiting[question] = place
            self._queue(question, place)

    def _ready(self) -> bool:
        if not self._waiting:
            return False
        # while the model is away one question at a time finds out whether it is back
        return not self._pause or (not self._in_flight and time.monotonic() >= self._resume_at)

    def _seconds_to_wait(self) -> float | None:
        if self._pause and self._waiting and not self._in_flight:
            return max(0.01, self._resume_at - time.monotonic())
        return None

    def _put_back(self, taken: dict[Question, _Waiting], error: BaseException) -> None:
        if isinstance(error, Unavailable):
            if not self._pause:
                self._away_since = time.monotonic()
                log.warning("the language model does not answer (%s); training goes on without it", error)
            self._pause = min(LONGEST_PAUSE, 2 * self._pause or FIRST_PAUSE)
            self._resume_at = time.monotonic() + self._pause
            self._return(taken.items())
            return
        ours = isinstance(error, LanguageModelError)
        if ours:
            self._back()
        else:
            self._failing = True
        if not self._counts["given_up"]:
            log.warning("a question was not answered (%s); such questions are left out", self.last_failure)
        for question, place in taken.items():
            if len(taken) > 1 or (place.attempts + 1 < MOST_ATTEMPTS and not ours):
                place.attempts, place.count, place.stamp = place.attempts + 1, 0, -next(self._stamps)  # behind all
                self._return([(question, place)])
                continue
            self._counts["given_up"] += 1
            if len(self._given_up) < MOST_GIVEN_UP:
                self._given_up.add(question)

    def _back(self) -> None:
        self._failing = False
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
