"""What a run could not write: said once, and told again at its end."""

from __future__ import annotations

from collections.abc import Callable


class Losses:
    """Writes a run's files, one kind after the other, and training goes on where one fails.

    What is written later makes up for a failure before: the newest checkpoint is the one that
    counts, rows of progress.csv wait for the next.
    """

    def __init__(self) -> None:
        self.lost: dict[str, str] = {}
        """Kind of file -> why it could not be written; empty where everything is there."""
        self._said: set[str] = set()

    def attempt(self, what: str, write: Callable[[], object]) -> bool:
        """Call `write`. Returns whether it succeeded; a disk that is full or gone is noted."""
        try:
            write()
        except (OSError, RuntimeError) as error:  # torch reports a full disk as RuntimeError
            self.note(what, error)
            return False
        self.lost.pop(what, None)
        return True

    def note(self, what: str, error: Exception) -> None:
        """Remember that `what` could not be written, and say so the first time."""
        self.lost[what] = f"{error}"
        if what not in self._said:
            self._said.add(what)
            print(
                f"WARNING: {what} could not be written: {error}\n"
                "  Training goes on, and what is there is untouched. Make room on the disk.",
                flush=True,
            )

    def told(self) -> str:
        """What is lost and why, in a line."""
        return "; ".join(f"{what} ({why})" for what, why in self.lost.items())
