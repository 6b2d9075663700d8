"""A weight that may change with progress, counted in environment steps."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Literal

_FORMS = "a number, 'linear(START,END,STEPS)', 'exponential(START,END,HALF_LIFE)' or 'piecewise(STEP:VALUE,...)'"


@dataclass(frozen=True)
class Schedule:
    """A value over environment steps, written as a number or as one of three forms.

    ========================================  ====================================================
    ``0.5``                                   constant
    ``linear(1.0,0.0,200000)``                from 1 to 0 in 200 000 steps, straight, then 0
    ``exponential(1.0,0.1,50000)``            from 1 to 0.1; the distance halves in 50 000 steps
    ``piecewise(0:0.0,10000:1.0,90000:0.2)``  straight lines between points, flat outside them
    ========================================  ====================================================

    >>> Schedule.parse("linear(1.0, 0.0, 100)")(25)
    0.75

    Raises:
        ValueError: the text is none of these, or a number in it is not finite.
    """

    text: str
    kind: Literal["constant", "linear", "exponential", "piecewise"]
    numbers: tuple[float, ...]

    @classmethod
    def parse(cls, value: float | str | Schedule) -> Schedule:
        """Read a schedule; a schedule is returned as it is."""
        if isinstance(value, Schedule):
            return value
        text = str(value).strip()
        if isinstance(value, bool):
            raise ValueError(f"a weight is {_FORMS}, not {value!r}")
        match = re.fullmatch(r"(linear|exponential|piecewise)\s*\((.*)\)", text)
        try:
            if match is None:
                schedule = cls(text, "constant", (float(text),))
            elif match[1] == "piecewise":
                points = sorted((float(a), float(b)) for a, b in (part.split(":") for part in match[2].split(",")))
                schedule = cls(text, "piecewise", tuple(number for point in points for number in point))
            else:
                start, end, steps = (float(part) for part in match[2].split(","))
                kind: Literal["linear", "exponential"] = "linear" if match[1] == "linear" else "exponential"
                schedule = cls(text, kind, (start, end, steps))
        except ValueError:
            raise ValueError(f"a weight is {_FORMS}, not {text!r}") from None
        if not all(map(math.isfinite, schedule.numbers)):
            raise ValueError(f"every number of a weight must be finite, but {text!r} has one that is not")
        if schedule.kind in ("linear", "exponential") and schedule.numbers[2] <= 0:
            raise ValueError(f"{schedule.kind}(START,END,STEPS) needs more than 0 steps, not {text!r}")
        return schedule

    def __call__(self, steps: int) -> float:
        """The value after so many environment steps."""
        if self.kind == "constant":
            return self.numbers[0]
        if self.kind == "piecewise":
            at, values = self.numbers[0::2], self.numbers[1::2]
            if steps <= at[0]:
                return values[0]
            for left, right, low, high in zip(at, at[1:], values, values[1:], strict=False):
                if steps < right:
                    return low + (high - low) * (steps - left) / (right - left)
            return values[-1]
        start, end, length = self.numbers
        if self.kind == "linear":
            return start + (end - start) * min(steps / length, 1.0)
        return float(end + (start - end) * 0.5 ** (steps / length))

    @property
    def is_constant(self) -> bool:
        return self.kind == "constant"

    def __str__(self) -> str:
        return self.text
