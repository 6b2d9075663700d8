"""A software-engineering environment whose actions and observations are texts."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gymnasium
from gymnasium.error import ResetNeeded
from gymnasium.spaces import Text

from envs.episode_seeds import SPLITS
from envs.swe.grading import plain_values, test_suite
from envs.swe.grading.report import Judge, Outcome
from envs.swe.rules import MAX_TURNS, OUTCOMES, WORTH, Account, Rules, Turn, target_files
from envs.swe.sandbox.sandbox import Sandbox, SandboxLost
from envs.swe.task_source import task_set
from envs.swe.tasks.task import Cases, Task
from envs.swe.text.commands import COMMANDS, carry_out
from envs.swe.text.desk import Desk
from envs.swe.text.difference import difference
from envs.swe.text.observation import CHARACTERS, LONGEST, observed
from envs.swe.text.parsing import FormatError, command_of
from envs.swe.text.prompt import prompt
from envs.swe.text.sandboxes import Sandboxes
from envs.swe.text.shell import Shell
from envs.swe.text.trees import with_tree
from envs.swe.text.workspace import begun
from foundation.checks import one_of

LONGEST_ACTION = 100_000
"""Characters of an action's space; longer answers are format errors."""
MOST_FORMAT_ERRORS = 3
"""In a row; they end an episode, as in mini-swe-agent."""


class SweTextEnv(gymnasium.Env[str, str]):
    """A bug to mend by commands; see `envs.swe.text.commands`.

    The reward is what the episode came to, on its last turn (`rules.WORTH`). Running out of turns
    and three format errors in a row are the outcome "no_submit" and terminate; a lost sandbox
    truncates and has no outcome. `info` has "reward_channels" on every step and, on the last one,
    "stats", "outcome", "is_success" and "episode_seed", or "sandbox_lost". An action may be any
    str; the space's characters are those of observations.

    Args:
        tasks: a file of tasks (`scripts.make_tasks`); None: the default ones.
        split: "train" or "eval".
        max_turns: of an episode.
        outcomes: the reward for each of `rules.OUTCOMES`.
        sandbox: "docker", "bubblewrap", or "auto" for the first that is here.
        image: for Docker, the image of all sandboxes, instead of those that tasks name.
        render_mode: "ansi": `render` gives the transcript.

    Raises:
        ValueError: what cannot work, before anything is played.
        FileNotFoundError: there is no such file of tasks.
    """

    metadata = {"render_modes": ["ansi"]}
    reports = ("reward_channels", "stats")

    def __init__(
        self,
        tasks: str | Path | None = None,
        split: str = "train",
        max_turns: int = MAX_TURNS,
        outcomes: Sequence[float] = WORTH,
        sandbox: str = "auto",
        image: str = "",
        render_mode: str | None = None,
    ) -> None:
        if render_mode not in (None, "ansi"):
            raise ValueError(f"render_mode={render_mode!r}: expected ansi or None")
        self.rules = Rules(max_turns, outcomes)
        self.render_mode = render_mode
        self._tasks = task_set(None if tasks is None else str(tasks)).subset(one_of("split", split, SPLITS))
        self._image = image
        self._sandboxes = Sandboxes(sandbox, image)
        self._finalizer = weakref.finalize(self, self._sandboxes.close)
        self.action_space = Text(LONGEST_ACTION, min_length=0, charset=CHARACTERS)
        self.observation_space = Text(LONGEST, min_length=0, charset=CHARACTERS)
        self._order = self._tasks
        self._place = -1
        self._seed: int | None = None
        self._lent: Sandbox | None = None
        self._desk: Desk | None = None
        self._over = True
        self.transcript: list[tuple[str, str]] = []

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        """Begins with the first task of the seed's order, or without a seed with the next one.

        Raises SandboxLost where there is none to be had.
        """
        super().reset(seed=seed)
        if seed is not None or self._seed is None:
            self._seed = int(self.np_random.integers(2**62)) if seed is None else seed
            self._order, self._place = self._tasks.ordered(self._seed), -1
        self._place += 1
        self._begin(with_tree(self._order.tasks[self._place % len(self._order)], self._image))
        return self._observed(prompt(self.task, self.rules.max_turns)), {
            "episode_seed": self._seed,
            "task_id": self.task.id,
        }

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        """One command. Raises ResetNeeded after an episode's end."""
        if self._over:
            raise ResetNeeded("the episode is over, or none has begun: call reset() before step()")
        action = str(action).encode("utf-8", "backslashreplace").decode()  # lone surrogates are no text
        self.transcript.append(("agent", action))
        try:
            text, turn = self._turn(action)
            outcome = self._outcome(turn)
        except SandboxLost as lost:
            return self._lost(lost)
        channels = self._account.channels(turn, self.changed())
        info: dict[str, Any] = {"reward_channels": channels}
        reward = 0.0
        if outcome is not None:
            self._over = True
            reward = float(self.rules.outcomes[OUTCOMES.index(outcome)])
            info |= self._summary(outcome)
        return self._observed(text), reward, outcome is not None, False, info

    def render(self) -> str | None:  # type: ignore[override]
        """The transcript of the episode, as far as it has come."""
        if self.render_mode is None:
            return None
        return "\n\n".join(f"--- {speaker}\n{text}" for speaker, text in self.transcript)

    def close(self) -> None:
        """Ends every sandbox. May be called twice."""
        self._over = True
        self._return_sandbox()
        self._sandboxes.close()

    @property
    def count(self) -> int:
        """How many tasks the split has."""
        return len(self._tasks)

    @property
    def task(self) -> Task:
        """The task in play, for who watches; an agent must not see it. Raises ResetNeeded."""
        return self._at_work.task

    @property
    def files(self) -> dict[str, str]:
        """The tree as it is now."""
        return dict(self._at_work.workspace.files)

    def changed(self) -> bool:
        """Is what is judged of the tree another than at the start?"""
        return _judged(self.task, self._at_work.workspace.files) != _judged(self.task, self.task.files)

    def patch(self) -> str:
        """What was done to the tree, as a unified diff."""
        return difference(self.task.files, self._at_work.workspace.files)

    @property
    def _at_work(self) -> Desk:
        if self._desk is None:
            raise ResetNeeded("no episode has begun: call reset() first")
        return self._desk

    def _begin(self, task: Task) -> None:
        self._return_sandbox()
        self._sandboxes.prepare(task)
        self._desk = Desk(task, begun(task.files), self._sandboxes.judge(task), Shell(self._take))
        self._account = Account(self.rules, target_files(task))
        self._format_errors = 0
        self._over = False
        self.transcript = []

    def _turn(self, action: str) -> tuple[str, Turn]:
        try:
            if len(action) > LONGEST_ACTION:
                raise FormatError(f"Your answer has {len(action)} characters; {LONGEST_ACTION} are read.")
            command = command_of(action, COMMANDS)
        except FormatError as error:
            self._format_errors += 1
            return str(error), Turn("", done=False, parsed=False)
        self._format_errors = 0
        return carry_out(self._at_work, command)

    def _outcome(self, turn: Turn) -> Outcome | None:
        """What the episode came to, if this turn ends it. Raises SandboxLost."""
        if turn.kind == "submit" and turn.done:
            return graded(self._at_work.judge, self.task, self._at_work.workspace.files)
        spent = self._account.turns + 1 >= self.rules.max_turns
        return "no_submit" if spent or self._format_errors >= MOST_FORMAT_ERRORS else None

    def _summary(self, outcome: Outcome) -> dict[str, Any]:
        return {
            "stats": self._account.statistics(outcome),
            "is_success": outcome == "pass",
            "outcome": outcome,
            "episode_seed": self._seed,
        }

    def _lost(self, lost: SandboxLost) -> tuple[str, float, bool, bool, dict[str, Any]]:
        self._over = True
        info = {"reward_channels": {}, "sandbox_lost": True, "episode_seed": self._seed}
        return self._observed(f"the sandbox is lost, and the episode with it: {lost}"), 0.0, False, True, info

    def _observed(self, text: str) -> str:
        text = observed(text)
        self.transcript.append(("environment", text))
        return text

    def _take(self) -> Sandbox:
        self._lent = self._sandboxes.agents.take()
        return self._lent

    def _return_sandbox(self) -> None:
        lent, self._lent = self._lent, None
        if lent is not None:
            self._sandboxes.agents.give_back(lent)


def graded(judge: Judge, task: Task, tree: dict[str, str]) -> Outcome:
    """A tree that cannot even be judged fails.

    Raises SandboxLost where it was no fault of the tree's that nothing was found out.
    """
    try:
        report = judge.grade(task, tree)
    except ValueError:  # it does not go into a sandbox: too large
        return "fail"
    if report.infrastructure:
        raise SandboxLost(f"grading had no sandbox: {report.invalid}")
    return report.outcome


def _judged(task: Task, tree: dict[str, str] | Any) -> dict[str, str]:
    return plain_values.judged(task, tree) if isinstance(task.checks, Cases) else test_suite.judged(task, tree)
