"""How many whole episodes of a policy the worlds of quality-diversity play in a second.

Compared with the loop that one would write: one table of Curling in Box2D, stepped from Python,
where Box2D is installed; else our own behind gymnasium's interface.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np

import envs
from envs.classic.rollouts import CompiledVecEnv
from envs.typing import FloatArray
from foundation.genome_policy import GenomePolicy
from scripts.benchmarks.box2d_curling import Box2DCurling

WORLDS = ("Curling-v0", "HardMaze-v0", "RedundantArm-v0", "CollectBall-v0", "Point2D-v0")
VIEW = 32


def measure(batch: int = 200, repeats: int = 3, threads: int = 1, looped: int = 5) -> dict[str, Any]:
    """Episodes a second of processor time, each the best of `repeats`.

    Args:
        batch: genomes of a call of `rollouts`.
        repeats: calls of everything.
        threads: of `rollouts`; processor time counts those of all.
        looped: episodes of the Python loop.

    Returns:
        "rollouts": {world: episodes a second}, "steps": {world: steps a second}, "views": pictures
        of Curling a second, "loop": episodes of Curling a second of the Python loop, "loop of":
        what was stepped in it, "ratio": how many times as many `rollouts` plays.
    """
    episodes, steps = {}, {}
    for name in WORLDS:
        venv = _world(name)
        genomes = _genomes(venv, batch)
        last = [venv.max_episode_steps - 1]
        length = venv.rollouts(genomes, venv.hidden, last).lengths.mean()  # and compiles
        seconds = _best(functools.partial(venv.rollouts, genomes, venv.hidden, last, threads), repeats)
        episodes[name], steps[name] = batch / seconds, batch * length / seconds
    table = _world("Curling-v0")
    states = table.rollouts(_genomes(table, batch), table.hidden, [499]).states[:, 0]
    views = batch / _best(lambda: table.views(states, VIEW), repeats)
    of, play = _loop()
    looping = looped / _best(lambda: [play(genome) for genome in _genomes(table, looped)], repeats)
    return {
        "rollouts": episodes,
        "steps": steps,
        "views": views,
        "loop": looping,
        "loop of": of,
        "ratio": episodes["Curling-v0"] / looping,
    }


def _world(name: str) -> CompiledVecEnv:
    venv = envs.make_vec(name, 1)
    assert isinstance(venv, CompiledVecEnv)
    return venv


def _genomes(venv: CompiledVecEnv, n: int) -> FloatArray:
    size = GenomePolicy(venv.inputs, venv.outputs, venv.hidden).size
    return np.clip(np.random.default_rng(300).normal(0.0, 1.0, (n, size)), -5.0, 5.0)


def _loop() -> tuple[str, Callable[[FloatArray], None]]:
    """What plays one episode of Curling step by step, and its name."""
    table = _world("Curling-v0")
    policy = GenomePolicy(table.inputs, table.outputs, table.hidden)
    try:
        Box2DCurling()
    except ImportError:
        env = gymnasium.make(f"breadcrumb/{WORLDS[0]}")

        def ours(genome: FloatArray) -> None:
            seen, _ = env.reset()
            over = False
            while not over:
                seen, _, terminated, truncated, _ = env.step(policy.act(genome[None], seen[None])[0])
                over = terminated or truncated

        return "gymnasium", ours

    def theirs(genome: FloatArray) -> None:
        world = Box2DCurling()
        seen = world.observe()
        for _ in range(table.max_episode_steps):
            seen = world.step(policy.act(genome[None], seen[None])[0])

    return "Box2D", theirs


def _best(call: Callable[[], Any], repeats: int) -> float:
    """The least seconds of processor time of a call."""
    seconds = []
    for _ in range(repeats):
        start = time.process_time()
        call()
        seconds.append(time.process_time() - start)
    return min(seconds)


def report(found: dict[str, Any]) -> str:
    """What `measure` found, for people."""
    lines = [f"{name}: {found['rollouts'][name]:,.0f} episodes, {found['steps'][name]:,.0f} steps" for name in WORLDS]
    lines.append(f"{found['views']:,.0f} pictures of {VIEW} × {VIEW}")
    lines.append(
        f"Curling step by step ({found['loop of']}): {found['loop']:,.1f} episodes; {found['ratio']:,.0f} times"
    )
    return "\n".join(["a second of processor time:", *lines])


if __name__ == "__main__":
    print(report(measure()))
