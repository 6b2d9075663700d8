"""How many episodes have ended, and when the last ones were successes enough."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Collection, Mapping, Sequence
from numbers import Real
from typing import Any

import numpy as np

WINDOW = 100  # episodes in the statistics, as SB3's


class FinishedEpisodes:
    """Counts the episodes that end, and watches the success rate of the last `WINDOW`.

    Args:
        enough: the success rate to wait for, over `WINDOW` episodes; None: nobody waits.
    """

    def __init__(self, enough: float | None = None) -> None:
        self.enough = enough
        self.count = 0
        self.reached: dict[str, Any] | None = None
        """Where the rate was first enough: success_rate, episodes (`WINDOW`), steps, seconds."""
        self._successes: deque[bool] = deque(maxlen=WINDOW)

    def add(self, dones: Sequence[bool], infos: Sequence[Mapping[str, Any]], steps: int, seconds: float) -> None:
        """Look at a step of all environments.

        Args:
            dones, infos: of the step.
            steps: environment steps of the run so far.
            seconds: of training so far.

        Raises:
            ValueError: somebody waits for success in a task that does not know it.
        """
        for index in np.flatnonzero(dones).tolist():
            self.count += 1
            success = infos[index].get("is_success")
            if success is not None:
                self._successes.append(bool(success))
            elif self.enough is not None:
                raise ValueError(
                    f"stop_at_success={self.enough:g}: an episode ended, and this environment does not tell whether "
                    "that was a success. Leave stop_at_success out"
                )
            rate = self.success_rate()
            if self.reached is None and self.enough is not None and rate is not None and rate >= self.enough:
                self.reached = {
                    "success_rate": rate, "episodes": WINDOW, "steps": steps, "seconds": round(seconds, 3)
                }  # fmt: skip

    def success_rate(self) -> float | None:
        """Of the last `WINDOW` episodes; None before there are so many."""
        return sum(self._successes) / WINDOW if len(self._successes) == WINDOW else None

    def state_dict(self) -> dict[str, Any]:
        """What a resume goes on with."""
        return {"count": self.count, "successes": list(self._successes), "reached": self.reached}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on with it."""
        self.count, self.reached = int(state["count"]), state["reached"]
        self._successes.extend(state["successes"])


def told(info: Mapping[str, Any], names: Collection[str]) -> dict[str, float]:
    """What an environment tells of an episode that has ended, its ``info["stats"]``.

    Args:
        info: of the episode's last step.
        names: what it told of the episode before; empty for the first.

    Raises:
        ValueError: it tells nothing, other figures than before, or no finite number.
    """
    figures = info.get("stats")
    if not isinstance(figures, Mapping) or (names and set(figures) != set(names)):
        had = ", ".join(figures) or "none" if isinstance(figures, Mapping) else "no figures"
        raise ValueError(
            f"env.statistics=true: an episode ended with {had} in info['stats']; expected "
            f"{', '.join(names) or 'a mapping of name to number'}, the same names at every episode's end (0 where one "
            "does not apply). Mend the environment, or give env.statistics=false"
        )
    wrong = [name for name, value in figures.items() if not isinstance(value, Real) or not math.isfinite(value)]
    if wrong:
        raise ValueError(f"info['stats'] has {wrong[0]} = {figures[wrong[0]]!r} at an episode's end; expected a number")
    return {name: float(value) for name, value in figures.items()}
