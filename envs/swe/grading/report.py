"""What grading says."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from envs.swe.tasks.task import Task, Tree

Status = Literal["PASSED", "FAILED", "ERROR", "SKIPPED", "XFAIL", "MISSING"]
Outcome = Literal["no_submit", "empty", "fail", "pass"]
"""The four ordered outcomes of an episode (G-RA, section 4)."""


@dataclass(frozen=True)
class Report:
    """A judged tree.

    Attributes:
        outcome: "empty" where nothing differs from the start, "pass" where all of fail_to_pass and
            pass_to_pass passed, else "fail".
        statuses: test id -> status.
        invalid: why the run counts as no pass whatever it printed ("timeout", "forged",
            "no report", ...), or "".
        resolution: of SWE-bench's three, FULL, PARTIAL (some of fail_to_pass, all of pass_to_pass)
            or NO; "" where a judge does not say.
        infrastructure: the sandbox or the engine failed, not the tree; it stays in the denominator.
    """

    outcome: Outcome
    statuses: Mapping[str, Status] = field(default_factory=dict)
    invalid: str = ""
    infrastructure: bool = False
    resolution: Literal["FULL", "PARTIAL", "NO", ""] = ""


class Judge(ABC):
    """Runs test ids over trees of a task. The table remembers, the others execute."""

    @abstractmethod
    def statuses(self, task: Task, tree: Tree, ids: Sequence[str]) -> Mapping[str, Status]:
        """Raises SandboxLost where nothing could be found out."""

    @abstractmethod
    def grade(self, task: Task, tree: Tree) -> Report:
        """The verdict over fail_to_pass and pass_to_pass, in a fresh place, with pristine tests."""

    def close(self) -> None:  # noqa: B027 - a judge may have nothing to end
        """Ends what it started."""
