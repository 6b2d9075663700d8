"""A handful of tasks, made once for all tests of the tool face."""

from __future__ import annotations

import pytest

from envs.swe import task_source
from envs.swe.tasks.generation import Recipe, generate
from envs.swe.tasks.task_set import TaskSet


@pytest.fixture(scope="session")
def tasks_file(tmp_path_factory):
    """The path of a set of tasks of one repository, of both splits; what is made of it is kept."""
    folder = tmp_path_factory.mktemp("swe")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(task_source, "cache_folder", lambda: folder)
        recipe = Recipe(packages=("clock",), count=16, split_by="function", eval_share=0.5, pairs=False, workers=1)
        yield str(TaskSet(generate(recipe).tasks).save(folder / "tasks.jsonl"))
