"""What becomes of a run whose actors cannot be replaced; with Ray itself: `test_ray.py`."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from agents.quality_diversity.ray_evaluator import RayEvaluator


def test_a_run_goes_on_with_the_actors_that_are_left_and_ends_with_the_last() -> None:
    killed: list[str] = []
    evaluator: Any = RayEvaluator.__new__(RayEvaluator)
    evaluator._ray = SimpleNamespace(kill=killed.append)
    evaluator.actors = ["first", "second"]

    def nobody(count: int) -> list[Any]:
        raise ValueError("no CPU is free")

    evaluator._started = nobody
    with pytest.warns(UserWarning, match="an actor died and is not replaced, 1 go on: no CPU is free"):
        evaluator._replace("first")
    assert evaluator.actors == ["second"]
    with pytest.raises(RuntimeError, match="every actor died, and no new one could be started: no CPU is free"):
        evaluator._replace("second")
    assert killed == ["first", "second"]
