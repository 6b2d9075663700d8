"""The table of messages: what was said how often, and what the reward made of it."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from foundation.files import replace_text
from shaping.oni.labels import Labels
from shaping.transitions import FloatArray

TABLE, HISTORY = "messages.csv", "history.csv"
COLUMNS = ("message", "score", "reward", "count", "paid", "share", "first_step")
MOST = 200_000  # messages
SPANS = 100  # of time, in the history
NAMED = 10  # messages in the history under their own name
OTHERS = "(all others)"


class MessageTable:
    """Counts messages and what was paid for each, in all and over time.

    A share is that of the absolute sum, so that rewards and fines do not hide each other.
    """

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.paid: Counter[str] = Counter()
        self._first: dict[str, int] = {}
        self._spans: list[tuple[int, Counter[str]]] = []  # (its last step, message -> paid)

    def add(self, steps: int, counts: Mapping[str, int], paid: Mapping[str, float]) -> None:
        """What came in a rollout that ended at this step."""
        for message, count in counts.items():
            if message not in self._first:
                if len(self._first) >= MOST:
                    continue
                self._first[message] = steps
            self.counts[message] += count
        for message, reward in paid.items():
            self.paid[message] += reward  # type: ignore[assignment]
        self._spans.append((steps, Counter(paid)))
        if len(self._spans) >= 2 * SPANS:
            self._spans = [
                (later[0], Counter({m: first[1][m] + later[1][m] for m in {*first[1], *later[1]}}))
                for first, later in zip(self._spans[::2], self._spans[1::2], strict=False)
            ]

    def rows(self, labels: Labels, values: Callable[[Sequence[str]], FloatArray]) -> list[dict[str, Any]]:
        """One row a message, those that were paid most first: `COLUMNS`."""
        everything = sum(abs(value) for value in self.paid.values()) or 1.0
        messages = sorted(self.counts, key=lambda m: (-abs(self.paid.get(m, 0.0)), -self.counts[m], m))
        return [
            {
                "message": message,
                "score": "" if (score := labels.score(message)) is None else round(score, 4),
                "reward": round(float(value), 4),
                "count": self.counts[message],
                "paid": round(float(self.paid.get(message, 0.0)), 4),
                "share": round(abs(float(self.paid.get(message, 0.0))) / everything, 6),
                "first_step": self._first[message],
            }
            for message, value in zip(messages, values(messages).tolist(), strict=True)
        ]

    def history(self) -> list[dict[str, Any]]:
        """What was paid for the ten most paid messages and for all others, span by span: step, message, paid."""
        named = [m for m, _ in sorted(self.paid.items(), key=lambda pair: -abs(pair[1]))[:NAMED]]
        rows: list[dict[str, Any]] = []
        for step, paid in self._spans:
            rest = sum(value for message, value in paid.items() if message not in named)
            rows += [{"step": step, "message": m, "paid": round(float(paid.get(m, 0.0)), 4)} for m in named]
            rows.append({"step": step, "message": OTHERS, "paid": round(float(rest), 4)})
        return rows

    def write(self, folder: Path, labels: Labels, values: Callable[[Sequence[str]], FloatArray]) -> None:
        """Write messages.csv and history.csv, whole or not at all."""
        for name, columns, rows in (
            (TABLE, COLUMNS, self.rows(labels, values)),
            (HISTORY, ("step", "message", "paid"), self.history()),
        ):
            text = io.StringIO()
            writer = csv.DictWriter(text, columns, lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
            replace_text(folder / name, text.getvalue())

    def state_dict(self) -> dict[str, Any]:
        return {
            "counts": dict(self.counts),
            "paid": dict(self.paid),
            "first": dict(self._first),
            "spans": [(step, dict(paid)) for step, paid in self._spans],
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.counts = Counter(state["counts"])
        self.paid = Counter(state["paid"])
        self._first = dict(state["first"])
        self._spans = [(int(step), Counter(paid)) for step, paid in state["spans"]]
