"""Where the time of a training goes: clocks around its parts, each without the parts inside it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from typing import Any

from agents.features.distinct import Distinct
from agents.sb3 import clipped_update, compiled_network
from agents.sb3.compiled_network import CompiledNetwork
from scripts.benchmarks.learner import Learner
from scripts.benchmarks.turns import Arguments

WARM_UP = 20_480
"""Steps before: windows of a policy that walks about are others than those of the first steps."""


class Clocks:
    """Sums up the time spent in functions, each without what functions with a clock in it take.

    Attributes:
        seconds: part -> seconds.
    """

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._within = [0.0]

    @contextlib.contextmanager
    def around(self, owner: Any, name: str, part: str) -> Iterator[None]:
        """A clock around the function `name` of `owner`, as long as the context is open."""
        function = getattr(owner, name)

        def timed(*arguments: Any, **named: Any) -> Any:
            self._within.append(0.0)
            started = time.perf_counter()
            try:
                return function(*arguments, **named)
            finally:
                spent = time.perf_counter() - started
                self.seconds[part] = self.seconds.get(part, 0.0) + spent - self._within.pop()
                self._within[-1] += spent

        setattr(owner, name, timed)
        try:
            yield
        finally:
            setattr(owner, name, function)


def profile(arguments: Arguments) -> dict[str, Any]:
    """{"rows": [{"part", "share", "us_per_step"}], "ratios": {...}} of PPO on the key room."""
    learner = Learner("ours", 1, ["events"])
    learner.speed(WARM_UP)
    clocks, model = Clocks(), learner.model
    parts: list[tuple[Any, str, str]] = [
        (learner, "speed", "rollouts: buffer, callbacks, log"),
        (learner._task.venv, "step_wait", "the game"),
        (learner.venv.venv, "step_wait", "reward terms"),
        (learner._stack, "update_terms", "reward terms"),
        (model.policy, "forward", "acting: heads, drawing an action"),
        (model.policy, "extract_features", "acting: encoders"),
        (model, "train", "update: minibatches, log"),
        (Distinct, "reduce", "update: finding what repeats"),
        (CompiledNetwork, "_encode", "update: encoders, forward"),
        (compiled_network, "_back_through", "update: encoders, back"),
        (compiled_network, "_heads", "update: heads and loss, forward and back"),
        (clipped_update, "_step", "update: optimiser"),
    ]
    with contextlib.ExitStack() as stack:
        for owner, name, part in parts:
            stack.enter_context(clocks.around(owner, name, part))
        before = model.num_timesteps
        learner.speed(arguments.steps)
    steps, total = model.num_timesteps - before, sum(clocks.seconds.values())
    rows = [
        {"part": part, "share": round(seconds / total, 3), "us_per_step": round(seconds / steps * 1e6, 1)}
        for part, seconds in sorted(clocks.seconds.items(), key=lambda item: -item[1])
    ]
    updates = sum(seconds for part, seconds in clocks.seconds.items() if part.startswith("update"))
    return {"rows": rows, "ratios": {"update_share": round(updates / total, 4)}}
