"""Environments of the text face that end with their test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from envs.swe.sandbox import bubblewrap
from envs.swe.tasks.task import Task
from envs.swe.text.env import SweTextEnv
from tests.envs.swe.text.repository import saved

Make = Callable[..., SweTextEnv]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    """`make(task, ..., max_turns=3)`: an environment over these tasks, in bubblewrap."""
    if reason := bubblewrap.unavailable():
        pytest.skip(reason)
    made: list[SweTextEnv] = []

    def one(*tasks: Task, **arguments: Any) -> SweTextEnv:
        made.append(SweTextEnv(saved(tmp_path, *tasks), sandbox="bubblewrap", **arguments))
        return made[-1]

    yield one
    for env in made:
        env.close()


@pytest.fixture
def env(make: Make) -> SweTextEnv:
    """Of one task, begun."""
    env = make(render_mode="ansi")
    env.reset(seed=0)
    return env
