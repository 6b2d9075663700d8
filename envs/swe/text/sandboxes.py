"""The sandboxes of one environment: one for the agent, and others for judges alone."""

from __future__ import annotations

from collections.abc import Callable

from envs.swe.grading.plain_values import ExecutingJudge
from envs.swe.grading.report import Judge
from envs.swe.grading.test_suite import TestSuiteJudge
from envs.swe.sandbox.docker import connect
from envs.swe.sandbox.leaks import refuse_installed
from envs.swe.sandbox.pool import Pool
from envs.swe.sandbox.providers import make_sandbox, provider
from envs.swe.sandbox.sandbox import Sandbox
from envs.swe.tasks.task import Cases, Task
from envs.swe.text.trees import without_tree


class Sandboxes:
    """Pools for the image that a task wants; another image ends those of the one before.

    Args:
        name: of a provider, or "auto".
        image: for every task that names none itself.
    """

    def __init__(self, name: str, image: str = "") -> None:
        self.name = provider(name, image)
        self._image = image
        self._current: str | None = None
        self._agents: Pool | None = None
        self._judges: dict[type, Judge] = {}
        self._clean: set[str] = set()

    def prepare(self, task: Task) -> None:
        """Makes ready for a task.

        Raises:
            ValueError: its image cannot be had here, or holds the source that the task is about.
            SandboxLost: no sandbox starts.
        """
        image = self._image or task.image
        if image and self.name != "docker":
            raise ValueError(f"task {task.id} needs the image {image!r}, and sandbox={self.name} has none: use docker")
        if image and task.workdir:
            image = without_tree(connect(), image, task.workdir)
        if image != self._current:
            self.close()
            self._current = image
        if not image and task.repo not in self._clean:
            with self.agents.lent() as sandbox:
                refuse_installed(sandbox, task.files)
            self._clean.add(task.repo)

    @property
    def agents(self) -> Pool:
        if self._agents is None:
            self._agents = Pool(self._factory())
        return self._agents

    def judge(self, task: Task) -> Judge:
        """The judge of a task's kind, with a pool of its own."""
        kind = ExecutingJudge if isinstance(task.checks, Cases) else TestSuiteJudge
        if kind not in self._judges:
            self._judges[kind] = kind(Pool(self._factory()))
        return self._judges[kind]

    def close(self) -> None:
        """Ends all of them; the next use starts others."""
        judges, self._judges = self._judges, {}
        agents, self._agents = self._agents, None
        for judge in judges.values():
            judge.close()
        if agents is not None:
            agents.close()

    def _factory(self) -> Callable[[], Sandbox]:
        name, image = self.name, self._current or self._image
        return lambda: make_sandbox(name, image=image)
