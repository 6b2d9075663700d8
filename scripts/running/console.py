"""How training goes, on the console."""

from __future__ import annotations

import sys
import time

from tqdm import tqdm


class ConsoleProgress:
    """A live bar on a terminal; elsewhere (a log file) a line every ten seconds.

    Args:
        total: environment steps of the whole run.
        done: of them, before this process.
        every: seconds between lines where there is no terminal.
    """

    def __init__(self, total: int, done: int, *, every: float = 10.0) -> None:
        self.total = total
        self.every = every
        self._first = self._done = done
        self._started = self._last_line = time.monotonic()
        self._bar = tqdm(total=total, initial=done, unit="step", dynamic_ncols=True) if sys.stderr.isatty() else None

    def update(self, steps: int, task_return: float | None, success: float | None) -> None:
        """Show that `steps` environment steps are done; means are over the last 100 episodes."""
        parts = []
        if task_return is not None:
            parts.append(f"task return {task_return:.2f}")
        if success is not None:
            parts.append(f"success {success:.0%}")
        now = time.monotonic()
        if self._bar is not None:
            self._bar.set_postfix_str(", ".join(parts), refresh=False)
            self._bar.update(steps - self._done)
        elif now - self._last_line >= self.every:
            self._last_line = now
            speed = (steps - self._first) / max(now - self._started, 1e-9)
            print(", ".join([f"{steps:,} of {self.total:,} steps", *parts, f"{speed:,.0f} steps/s"]), flush=True)
        self._done = steps

    def close(self) -> None:
        """Leave the terminal as it was."""
        if self._bar is not None:
            self._bar.close()
