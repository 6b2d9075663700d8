"""Trees of instances that lie in an image, as text."""

from __future__ import annotations

from dataclasses import replace

from envs.swe.sandbox.archives import image_files
from envs.swe.sandbox.docker import connect
from envs.swe.tasks.task import Task
from envs.swe.text.shell import readable


def with_tree(task: Task) -> Task:
    """The task with its files, read from its image where it names one and has none.

    Files that are no UTF-8 are left out, and what lies in .git: a history tells how bugs were
    mended.

    Raises:
        ValueError: it has neither; or the Engine has no such image.
    """
    if task.files:
        return task
    if not task.image:
        raise ValueError(f"task {task.id} has neither files nor an image to read them from")
    files = readable(image_files(connect(), task.image, task.workdir))
    return replace(task, files=files)
