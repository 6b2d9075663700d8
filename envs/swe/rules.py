"""What an episode of software engineering is worth, turn by turn: one set of rules for both faces.

An agent that mends a bug is told nothing for long. Critics of its turns are told apart by name
(`CHANNELS`); what the episode came to is the task's own reward, four values in an order. Sources:
Sun et al. 2025, arXiv 2508.10548, for the outcomes and critics; the numbers are ours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from envs.swe.grading.report import Outcome
from envs.swe.tasks.task import Cases, Task, Tree
from foundation.checks import number, whole

OUTCOMES: tuple[Outcome, ...] = ("no_submit", "empty", "fail", "pass")
"""What an episode may come to, the worst first."""
WORTH = (-1.0, -0.5, 0.0, 1.0)
"""The task's reward on the last turn, an outcome each."""
CHANNELS = ("format", "action", "edit", "progress", "completion")
"""``info["reward_channels"]``: was it an action at all; was it one that could be done; did the
tree become another for the first time; was a step towards a fix taken for the first time; was
something submitted. Every turn names those that are not 0."""
FORMAT, ACTION, EDIT, PROGRESS, COMPLETION = 0.05, 0.05, 0.1, 0.2, 0.2
MILESTONES = ("searched", "opened_target", "edited_target", "tested_edit")
"""Steps towards a fix; each pays `PROGRESS` once an episode."""
STATISTICS = (
    "completion_rate",
    "modification_rate",
    "resolve_rate",
    "invalid_action_share",
    *(f"outcome_{outcome}" for outcome in OUTCOMES),
)
"""``info["stats"]`` of an episode's last turn: was something submitted (its mean is CR), that was
another tree (MR), that passed (RR); the share of turns that came to nothing; the outcome,
one-hot."""
MAX_TURNS = 20


@dataclass(frozen=True)
class Rules:
    """What may be varied.

    Attributes:
        max_turns: of an episode. Running out of them is an outcome and terminates it.
        outcomes: the task's reward for each of `OUTCOMES`.
    """

    max_turns: int = MAX_TURNS
    outcomes: Sequence[float] = WORTH

    def __post_init__(self) -> None:
        whole("max_turns", self.max_turns)
        if len(self.outcomes) != len(OUTCOMES):
            raise ValueError(
                f"outcomes has {len(self.outcomes)} numbers; expected {len(OUTCOMES)}: {', '.join(OUTCOMES)}"
            )
        for name, worth in zip(OUTCOMES, self.outcomes, strict=True):
            number(f"the worth of {name}", worth)


@dataclass(frozen=True)
class Turn:
    """What an agent did, as the rules see it.

    Attributes:
        kind: "look" (list, scroll and the like), "open", "search", "edit", "undo", "test",
            "submit", or "run" for a command of its own.
        done: could it be done? False for arguments that make no sense.
        parsed: was it an action at all?
        path: of the file that it opened or edited.
    """

    kind: str
    done: bool = True
    parsed: bool = True
    path: str = ""


@dataclass
class Account:
    """What an episode has earned so far.

    Attributes:
        rules: of the task set.
        targets: the files in which a failing function stands or is called, see `target_files`.
    """

    rules: Rules
    targets: frozenset[str]
    turns: int = 0
    invalid: int = 0
    changed_once: bool = False
    reached: set[str] = field(default_factory=set)

    def channels(self, turn: Turn, changed: bool) -> dict[str, float]:
        """The channels of one turn; `changed`: is the tree another than at the start, after it?"""
        self.turns += 1
        self.invalid += not (turn.parsed and turn.done)
        paid: dict[str, float] = {}
        if turn.kind == "submit" and turn.done:
            return {"completion": COMPLETION}
        if turn.parsed:
            paid["format"] = FORMAT
        if turn.parsed and turn.done:
            paid["action"] = ACTION
            if changed and not self.changed_once:
                self.changed_once = True
                paid["edit"] = EDIT
            milestone = self._milestone(turn, changed)
            if milestone and milestone not in self.reached:
                self.reached.add(milestone)
                paid["progress"] = PROGRESS
        return paid

    def _milestone(self, turn: Turn, changed: bool) -> str:
        on_target = turn.path in self.targets
        if turn.kind == "search":
            return "searched"
        if turn.kind == "open" and on_target:
            return "opened_target"
        if turn.kind == "edit" and on_target:
            return "edited_target"
        return "tested_edit" if turn.kind == "test" and changed else ""

    def statistics(self, outcome: Outcome) -> dict[str, float]:
        """`STATISTICS` of an episode that came to `outcome`."""
        place = OUTCOMES.index(outcome)
        values = (place > 0, place > 1, place > 2, self.invalid / max(self.turns, 1))
        return dict(zip(STATISTICS, (*map(float, values), *(float(place == other) for other in range(4))), strict=True))


def target_files(task: Task, tree: Tree | None = None) -> frozenset[str]:
    """The files that hold the name of a function which a visible failing test calls.

    For tasks that are judged by a suite, the files which its names of tests stand in.
    """
    words = failing_words(task)
    files = task.files if tree is None else tree
    return frozenset(path for path, text in files.items() if any(word in text for word in words))


def failing_words(task: Task) -> tuple[str, ...]:
    """What to search for: the functions of visible failing tests, without their classes."""
    seen = [name for name in task.fail_to_pass if name in set(task.visible)] or list(task.fail_to_pass)
    if isinstance(task.checks, Cases):
        functions = {case.id: case.function for case in task.checks.cases}
        words = [functions[name].rpartition(".")[2] for name in seen if name in functions]
    else:
        words = [name.rpartition("::")[2].partition("[")[0].removeprefix("test_") for name in seen]
    return tuple(dict.fromkeys(word for word in words if word))
