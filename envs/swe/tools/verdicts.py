"""What the trees in an agent's reach come to: looked up, or found out in a sandbox when asked."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from envs.swe.grading.plain_values import ExecutingJudge
from envs.swe.grading.report import Judge
from envs.swe.sandbox.pool import Pool
from envs.swe.sandbox.providers import make_sandbox
from envs.swe.sandbox.sandbox import SandboxLost
from envs.swe.tasks.candidates import applied
from envs.swe.tasks.task import Task
from envs.swe.tools.sheets import PASSES, Layout, Sheets, candidate_slots, public_ids
from envs.typing import IntArray
from foundation.checks import one_of

PROVIDERS = ("table", "bubblewrap", "docker")
PATIENCE = 20  # trees in a row for which there was no sandbox; then something is wrong for good
FloatArray = NDArray[np.floating]


class Verdicts(ABC):
    """Answers for trees: (task, place), where place 0 is the task's own tree and candidates follow.

    NaN where nothing could be found out, because the sandbox was lost.
    """

    @abstractmethod
    def fractions(self, tasks: IntArray, places: IntArray) -> FloatArray:
        """The share of visible tests that pass, (n,)."""

    @abstractmethod
    def passed(self, tasks: IntArray, places: IntArray) -> FloatArray:
        """1 where every test passes, hidden ones too, (n,)."""

    def close(self) -> None:  # noqa: B027 - a table has nothing to end
        """Ends what was started."""


class LookedUp(Verdicts):
    """Those of the sheets; nothing runs."""

    def __init__(self, sheets: Sheets) -> None:
        self._sheets = sheets

    def fractions(self, tasks: IntArray, places: IntArray) -> FloatArray:
        found: FloatArray = self._sheets.fraction[tasks, places]
        return found

    def passed(self, tasks: IntArray, places: IntArray) -> FloatArray:
        return self._sheets.passed[tasks, places].astype(np.float32)


class Executed(Verdicts):
    """Runs what is asked, each tree once.

    Args:
        tasks: in the order of the sheets.
        layout: that the sheets were made by.
        judge: executes; it is closed with this.

    Raises:
        SandboxLost: from a call, when `PATIENCE` trees in a row found no sandbox.
    """

    def __init__(self, tasks: Sequence[Task], layout: Layout, judge: Judge) -> None:
        self._tasks, self._layout, self._judge = tasks, layout, judge
        self._known: dict[tuple[str, int, int], float] = {}
        self._lost = 0

    def fractions(self, tasks: IntArray, places: IntArray) -> FloatArray:
        return self._each("fraction", self._fraction, tasks, places)

    def passed(self, tasks: IntArray, places: IntArray) -> FloatArray:
        return self._each("passed", self._passed, tasks, places)

    def close(self) -> None:
        self._judge.close()

    def _each(
        self, what: str, ask: Callable[[Task, dict[str, str]], float], tasks: IntArray, places: IntArray
    ) -> FloatArray:
        return np.array(
            [self._answer(what, ask, int(task), int(place)) for task, place in zip(tasks, places, strict=True)],
            np.float32,
        )

    def _answer(self, what: str, ask: Callable[[Task, dict[str, str]], float], task: int, place: int) -> float:
        key = (what, task, place)
        if key not in self._known:
            try:
                self._known[key] = ask(self._tasks[task], self._tree(task, place))
                self._lost = 0
            except SandboxLost as error:
                self._lost += 1
                if self._lost >= PATIENCE:
                    raise SandboxLost(
                        f"no sandbox for {self._lost} trees in a row: {error}. Start the Engine again, see python -m "
                        "scripts.sandbox check, and resume the run from its newest checkpoint"
                    ) from error
                return float("nan")
        return self._known[key]

    def _tree(self, task: int, place: int) -> dict[str, str]:
        one = self._tasks[task]
        if place == 0:
            return dict(one.files)
        slot, candidate = divmod(place - 1, self._layout.candidates)
        tree = applied(one, [candidate_slots(one, self._layout)[slot][candidate]])
        assert tree is not None  # one candidate alone always goes
        return tree

    def _fraction(self, task: Task, tree: dict[str, str]) -> float:
        statuses = self._judge.statuses(task, tree, public_ids(task))
        return sum(status in PASSES for status in statuses.values()) / max(len(statuses), 1)

    def _passed(self, task: Task, tree: dict[str, str]) -> float:
        report = self._judge.grade(task, tree)
        if report.infrastructure:
            raise SandboxLost(report.invalid)
        return float(report.outcome == "pass")


def verdicts(sandbox: str, tasks: Callable[[], Sequence[Task]], sheets: Sheets, layout: Layout) -> Verdicts:
    """By the name of a provider.

    Raises:
        ValueError: no such provider, or it is not there; says what to do.
    """
    if one_of("sandbox", sandbox, PROVIDERS) == "table":
        return LookedUp(sheets)
    pool = Pool(lambda: make_sandbox(sandbox))
    try:
        pool.warm()
    except SandboxLost as error:
        raise ValueError(f"sandbox={sandbox}: {error}") from error
    return Executed(tasks(), layout, ExecutingJudge(pool))
