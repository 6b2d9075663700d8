"""Whole episodes a second, what a search adds to them, and what half a million evaluations hold.

Episodes are compared with the loop that one would write: one table of Curling in Box2D, stepped
from Python, where Box2D is installed, else our own behind gymnasium's interface; and one robot of
HardMaze behind that.
"""

from __future__ import annotations

import functools
import multiprocessing
import resource
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np

import agents
import envs
from agents.quality_diversity.evaluations import Evaluations
from agents.quality_diversity.population import Population
from envs.classic.rollouts import CompiledVecEnv
from envs.typing import FloatArray
from foundation.genome_policy import GenomePolicy
from scripts.benchmarks.box2d_curling import Box2DCurling
from scripts.benchmarks.turns import Arguments, median_of_turns

WORLDS = ("Curling-v0", "HardMaze-v0", "RedundantArm-v0", "CollectBall-v0", "Point2D-v0")
LOOPED = {"Curling-v0": ("curling", 5), "HardMaze-v0": ("hard_maze", 3)}
"""World -> its name among ratios, episodes of a turn of the Python loop."""
SEARCHES = ("serene", "novelty_search", "map_elites", "nsga2", "cma_me", "random_genomes")
BATCH = 200
VIEW = 32
ROUNDS = 40
"""Rounds of a turn of a search."""
EVALUATIONS = 500_000
"""Of the run whose memory is looked at."""


def quality_diversity(arguments: Arguments) -> dict[str, Any]:
    """Per second of processor time of one core; {"rows": [...], "ratios": {...}}."""
    loops = {world: _loop(world, looped) for world, (_, looped) in LOOPED.items()}
    named = {f"{world}, {of}": call for world, (of, call) in loops.items()}
    measured = median_of_turns({**_episodes(), "pictures of Curling": _pictures(), **named}, arguments.repeats)
    medians = {name: statistics.median(turns) for name, turns in measured.items()}
    rows = [
        {
            "what": name,
            "a_cpu_second": round(medians[name], 1),
            "lowest": round(min(turns)),
            "highest": round(max(turns)),
        }
        for name, turns in measured.items()
    ]
    ratios = {
        f"{LOOPED[world][0]}_vs_loop": round(medians[world] / medians[f"{world}, {of}"], 1)
        for world, (of, _) in loops.items()
    }
    shares = {name: [search_share(name) for _ in range(arguments.repeats)] for name in SEARCHES}
    ratios |= {f"search_share_{name}": round(statistics.median(turns), 3) for name, turns in shares.items()}
    print(f"  {EVALUATIONS:,} evaluations ...", file=sys.stderr, flush=True)
    seconds, gibibytes = _in_a_process_of_its_own(EVALUATIONS)
    return {
        "rows": rows,
        "ratios": ratios | {"long_run_cpu_seconds": round(seconds, 1), "long_run_gib": round(gibibytes, 3)},
    }


# Episodes ----------------------------------------------------------------------------------------


def _episodes() -> dict[str, Callable[[], float]]:
    """World -> measures episodes a second of processor time."""

    def played(venv: CompiledVecEnv, genomes: FloatArray) -> Callable[[], object]:
        return functools.partial(venv.rollouts, genomes, venv.hidden, [venv.max_episode_steps - 1])

    worlds = {name: _world(name) for name in WORLDS}
    calls = {name: played(venv, _genomes(venv, BATCH)) for name, venv in worlds.items()}
    for call in calls.values():
        call()  # compiles
    return {name: functools.partial(_rate, call, BATCH) for name, call in calls.items()}


def _pictures() -> Callable[[], float]:
    table = _world("Curling-v0")
    states = table.rollouts(_genomes(table, BATCH), table.hidden, [table.max_episode_steps - 1]).states[:, 0]
    return lambda: _rate(lambda: table.views(states, VIEW), BATCH)


def _loop(world: str, looped: int) -> tuple[str, Callable[[], float]]:
    """What plays episodes step by step, in words, and how many a second of processor time."""
    venv = _world(world)
    policy = GenomePolicy(venv.inputs, venv.outputs, venv.hidden)
    of, play = "gymnasium", functools.partial(_stepped, gymnasium.make(f"breadcrumb/{world}"), policy)
    if world == "Curling-v0" and _box2d_is_installed():
        of, play = "Box2D", functools.partial(_stepped_in_box2d, policy, venv.max_episode_steps)
    genomes = _genomes(venv, looped)
    return of, lambda: _rate(lambda: [play(genome) for genome in genomes], looped)


def _stepped(env: gymnasium.Env[Any, Any], policy: GenomePolicy, genome: FloatArray) -> None:
    seen, _ = env.reset()
    over = False
    while not over:
        seen, _, terminated, truncated, _ = env.step(policy.act(genome[None], seen[None])[0])
        over = terminated or truncated


def _stepped_in_box2d(policy: GenomePolicy, steps: int, genome: FloatArray) -> None:
    world = Box2DCurling()
    seen = world.observe()
    for _ in range(steps):
        seen = world.step(policy.act(genome[None], seen[None])[0])


def _box2d_is_installed() -> bool:
    try:
        Box2DCurling()
    except ImportError:
        return False
    return True


# Searches ----------------------------------------------------------------------------------------


def search_share(name: str) -> float:
    """Processor time of asking and telling over that of the episodes, batches of up to `BATCH`.

    Of `ROUNDS` rounds of Curling after as many that are not timed: archives hold something then,
    and emitters are at work.
    """
    table = _world("Curling-v0")
    evolver = population(name, table).evolver
    searching = playing = 0.0
    for turn in range(2 * ROUNDS):
        if turn == ROUNDS:
            searching = playing = 0.0
        first = time.process_time()
        genomes = evolver.ask(BATCH)
        asked = time.process_time()
        played = table.rollouts(genomes, table.hidden, [table.max_episode_steps - 1])
        over = time.process_time()
        evolver.tell(_told(played.rewards, played.positions[:, -1], played.areas))
        searching, playing = searching + asked - first + time.process_time() - over, playing + over - asked
    return searching / playing


def population(name: str, table: CompiledVecEnv, **settings: Any) -> Population:
    """An agent that searches on a table of Curling."""
    model = agents.build(name, table, seed=300, **settings)
    assert isinstance(model, Population)
    return model


def long_run(evaluations: int) -> tuple[float, float]:
    """SERENE over so many made-up episodes: seconds of processor time, GiB of this process.

    An episode ends where a few genes lead, and those that end near a corner are paid.
    """
    model = population("serene", _world("Curling-v0"), evaluations=evaluations)
    evolver, history = model.evolver, model.history
    start = time.process_time()
    while evolver.left:
        genomes = evolver.ask(evolver.left)
        ends = 1.35 * np.tanh(0.3 * genomes[:, :20:10] + 0.1 * genomes[:, 1:21:10])
        rewards = np.clip(0.2 - np.linalg.norm(ends - 0.8, axis=1), 0.0, None)
        told = _told(rewards, ends, np.where(rewards > 0, 0, -1))
        purpose, parents = evolver.purpose, evolver.parents
        evolver.tell(told)
        history.add(told, ends, purpose, parents)
    return time.process_time() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def _told(rewards: FloatArray, ends: FloatArray, areas: Any) -> Evaluations:
    n = len(rewards)
    lengths, failed = np.full(n, 500), np.zeros(n, np.bool_)
    return Evaluations(rewards=rewards, descriptors=ends, truths=ends, areas=areas, lengths=lengths, failed=failed)


def _in_a_process_of_its_own(evaluations: int) -> tuple[float, float]:
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(long_run, (evaluations,))


# What all use ------------------------------------------------------------------------------------


def _world(name: str) -> CompiledVecEnv:
    venv = envs.make_vec(name, 1)
    assert isinstance(venv, CompiledVecEnv)
    return venv


def _genomes(venv: CompiledVecEnv, n: int) -> FloatArray:
    size = GenomePolicy(venv.inputs, venv.outputs, venv.hidden).size
    return np.clip(np.random.default_rng(300).normal(0.0, 1.0, (n, size)), -5.0, 5.0)


def _rate(call: Callable[[], object], n: int) -> float:
    """n a second of processor time."""
    start = time.process_time()
    call()
    return n / (time.process_time() - start)
