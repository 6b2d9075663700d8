"""What an agent is told at the beginning of an episode."""

from __future__ import annotations

from envs.swe.tasks.task import Task
from envs.swe.text.commands import COMMANDS
from envs.swe.text.parsing import FORMAT


def prompt(task: Task, max_turns: int) -> str:
    """The issue, the commands and the format; never the task's id, which tells how it broke."""
    usages = "\n".join(f"- {command.usage}" for command in COMMANDS.values() if command.usage)
    return (
        "A repository of Python programs has a bug. Mend it: change the source so that the issue is solved and "
        "nothing else breaks, then submit. Hidden tests decide.\n\n"
        f"The issue:\n\n{task.statement.strip()}\n\n"
        f"The commands, one a turn, of which you have {max_turns}:\n\n{usages}\n\n{FORMAT}"
    )
