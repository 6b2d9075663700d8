"""What a command in a sandbox costs: a no-op, a start, a reset, by provider."""

from __future__ import annotations

import contextlib
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import docker
import numpy as np

import envs
from envs.swe.sandbox.bubblewrap import BubblewrapSandbox
from envs.swe.sandbox.docker import DockerSandbox, connect
from envs.swe.sandbox.docker import unavailable as no_docker
from envs.swe.sandbox.engine import LocalEngine
from envs.swe.sandbox.engine import unavailable as no_engine
from envs.swe.sandbox.leavings import leavings
from envs.swe.sandbox.pool import Pool
from envs.swe.sandbox.providers import available
from envs.swe.sandbox.sandbox import Sandbox
from scripts.benchmarks.turns import Arguments, steps_per_second

COMMANDS = 100
"""No-ops of a turn, of which the median counts."""
EPISODES = 1000
PATIENCE = 10.0  # seconds for what has been ended to be gone
REPORT = ("reward_channels", "stats")
TREE = {f"module_{number}.py": "x = 1\n" * 50 for number in range(20)}

Factory = Callable[[], Sandbox]


def swe(arguments: Arguments) -> dict[str, Any]:
    """Milliseconds by provider, {"rows": [...], "ratios": {"docker_noop_ms": ...}}.

    A provider that is not there is left out, and said. `table_steps_per_second`: environment steps
    of the tool face over its table, random legal actions, rewards and statistics reported, one
    core. `NAME_left_behind`: what is there after a thousand episodes that was not there before.
    """
    rows, ratios = [], {"table_steps_per_second": table_speed(arguments)}
    with providers() as (factories, client):
        for name, factory in factories.items():
            row = measured(name, factory, arguments.repeats)
            rows.append(row)
            ratios[f"{name}_noop_ms"] = row["noop_ms"]
            ratios[f"{name}_left_behind"] = left_behind(factory, client if name == "docker" else None)
    if not rows:
        raise ValueError("no provider of sandboxes is here: python -m scripts.sandbox check says what to do")
    return {"rows": rows, "ratios": ratios}


def table_speed(arguments: Arguments) -> float:
    """The median turn's steps a second, masks and resets included."""
    venv = envs.make_vec("breadcrumb/SweTools-v0", arguments.n_envs, seed=0, report=REPORT)
    venv.reset()
    random = np.random.default_rng(0)

    def step(_: int) -> None:
        masks = np.stack(venv.env_method("action_masks"))
        venv.step((random.random(masks.shape) * masks).argmax(axis=1))

    turns = max(1, arguments.steps // arguments.n_envs)
    speeds = [steps_per_second(step, turns) * arguments.n_envs for _ in range(arguments.repeats)]
    venv.close()
    return round(statistics.median(speeds))


def measured(name: str, factory: Factory, repeats: int) -> dict[str, Any]:
    factory().close()  # the image is made once, and is not what starting costs
    turns = []
    for turn in range(repeats):
        print(f"  {turn + 1}/{repeats}  {name} ...", file=sys.stderr, flush=True)
        turns.append(one_turn(factory))
    medians = {what: round(statistics.median(turn[what] for turn in turns), 2) for what in turns[0]}
    return {"provider": name, **medians}


def left_behind(factory: Factory, client: docker.DockerClient | None) -> int:
    """How much more there is after `EPISODES` than before: containers, processes, mounts, files.

    An episode writes a tree, runs a program, and leaves a daemon and a file that are not its own.
    """
    before = leavings(client)
    with Pool(factory, 2) as pool:
        for episode in range(EPISODES):
            with pool.lent() as sandbox:
                sandbox.reset({"a.py": f"print({episode})"})
                sandbox.execute(["sh", "-c", "setsid sleep 1000 & touch /tmp/x; python3 a.py"])
    deadline = time.monotonic() + PATIENCE
    while (after := leavings(client)) != before and time.monotonic() < deadline:
        time.sleep(0.1)
    return sum(len(set(after[what]) - set(before[what])) for what in after)


def one_turn(factory: Factory) -> dict[str, float]:
    started = time.perf_counter()
    sandbox = factory()
    start = (time.perf_counter() - started) * 1000
    try:
        sandbox.reset(TREE)
        return {
            "noop_ms": milliseconds(lambda: sandbox.execute(["true"]), COMMANDS),
            "python_ms": milliseconds(lambda: sandbox.execute(["python3", "-c", ""]), COMMANDS // 4),
            "reset_ms": milliseconds(lambda: sandbox.reset(TREE), COMMANDS // 4),
            "start_ms": start,
        }
    finally:
        sandbox.close()


def milliseconds(work: Callable[[], object], times: int) -> float:
    taken = []
    for _ in range(times):
        started = time.perf_counter()
        work()
        taken.append(time.perf_counter() - started)
    return statistics.median(taken) * 1000


@contextmanager
def providers() -> Iterator[tuple[Mapping[str, Factory], docker.DockerClient | None]]:
    """Those that are there, and the Engine: one of our own where none runs and one can start."""
    reasons = available()
    factories: dict[str, Factory] = {} if reasons["bubblewrap"] else {"bubblewrap": BubblewrapSandbox}
    with contextlib.ExitStack() as stack:
        client = None
        if not no_docker():
            client = connect()
        elif no_engine():
            print(f"without docker: {reasons['docker']}", file=sys.stderr)
        else:
            client = stack.enter_context(LocalEngine()).client()
        if client is not None:
            engine = client
            factories = {"docker": lambda: DockerSandbox(client=engine), **factories}
        yield factories, client
