"""Couplings, codes and whole messages a second, against heaps of plain Python.

Where `mec` of github.com/ssokota/mec can be imported (it is on no package index; put its folder
into PYTHONPATH), its couplings stand beside ours, compiled ones if its Rust extension is there.
"""

from __future__ import annotations

import functools
import heapq
import importlib
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from agents.coding import Codec, FactoredBelief, ebim, entropy, greedy_coupling, masses_of
from scripts.benchmarks.turns import Arguments, median_of_turns

SIZES = ((2, 2), (4, 4), (16, 4), (16, 16), (64, 4), (256, 4), (256, 256), (1024, 4), (4096, 4), (4096, 4096))
SECONDS = 0.2
"""Of one measurement."""
OURS, HEAP, PUBLIC = "ours", "two heaps of plain Python", "ssokota/mec"
STEPS, BLOCKS = 500, 32


def coding(arguments: Arguments) -> dict[str, Any]:
    """Per second of processor time of one core; {"rows": [...], "ratios": {...}}."""
    rows: list[dict[str, Any]] = []
    ratios: dict[str, float] = {}
    for n, m in SIZES:
        measured = median_of_turns(couplings(n, m), arguments.repeats)
        medians = {path.partition(",")[0]: statistics.median(turns) for path, turns in measured.items()}
        for path, median in medians.items():
            rows.append({"what": f"couplings {n}×{m}, {path}", "a_cpu_second": round(median, 1)})
            if path != OURS:
                ratios[f"coupling_{n}x{m}_vs_{'heap' if path == HEAP else 'mec'}"] = round(medians[OURS] / median, 1)
    masses = masses_of(np.random.default_rng(0).dirichlet(np.ones(4096)))
    rate = 0.5 * entropy(masses)
    others: dict[str, Callable[[], float]] = {
        "encoders of 4096 messages (EBIM)": functools.partial(_rate, lambda: ebim(masses, rate)),
        f"episodes of {8 * BLOCKS} bits, {STEPS} steps, both players": _episodes,
    }
    measured = median_of_turns(others, arguments.repeats)
    rows += [{"what": name, "a_cpu_second": round(statistics.median(turns), 1)} for name, turns in measured.items()]
    ratios["seconds_of_an_episode_a_player"] = round(0.5 / rows[-1]["a_cpu_second"], 4)
    return {"rows": rows, "ratios": ratios}


def couplings(n: int, m: int) -> dict[str, Callable[[], float]]:
    """What measures couplings a second of random marginals of these sizes."""
    rng = np.random.default_rng(0)
    floats = [rng.dirichlet(np.ones(size)) for size in (n, m)]
    p, q = (masses_of(row) for row in floats)
    paths: dict[str, Callable[[], object]] = {
        OURS: lambda: greedy_coupling(p, q),
        HEAP: lambda: heap_coupling(p.tolist(), q.tolist()),
    }
    public = _public_coupling()
    if public:
        paths[PUBLIC] = lambda: public(*floats, sparse=True)
    return {f"{path}, {n}×{m}": functools.partial(_rate, call) for path, call in paths.items()}


def heap_coupling(p: list[int], q: list[int]) -> dict[tuple[int, int], int]:
    """The same greedy coupling as one writes it."""
    ours = [(-mass, index) for index, mass in enumerate(p) if mass]
    theirs = [(-mass, index) for index, mass in enumerate(q) if mass]
    heapq.heapify(ours)
    heapq.heapify(theirs)
    joint = {}
    while ours:
        (a, i), (b, j) = ours[0], theirs[0]
        mass = min(-a, -b)
        joint[i, j] = mass
        for heap, left, index in ((ours, a + mass, i), (theirs, b + mass, j)):
            if left:
                heapq.heapreplace(heap, (left, index))
            else:
                heapq.heappop(heap)
    return joint


def _public_coupling() -> Callable[..., object] | None:
    try:
        return getattr(importlib.import_module("mec"), "greedy_mec", None)
    except ImportError:
        return None


def _episodes() -> float:
    rng = np.random.default_rng(0)
    policies = rng.dirichlet([2.0, 2.0], STEPS)
    sender, receiver = (Codec(FactoredBelief([256] * BLOCKS)) for _ in range(2))
    message = int.from_bytes(rng.bytes(BLOCKS), "little")

    def episode() -> None:
        sender.reset()
        receiver.reset()
        for row in policies:
            action = sender.choose(message, row, rng)
            sender.update(row, action)
            receiver.update(row, action)
        if receiver.decode() != message:
            raise RuntimeError("the message was not received: the policies are too quiet for it")

    return _rate(episode)


def _rate(call: Callable[[], object]) -> float:
    """Calls a second of processor time, after one that is not counted."""
    call()
    start, calls = time.process_time(), 0
    while time.process_time() - start < SECONDS or not calls:
        call()
        calls += 1
    return calls / (time.process_time() - start)
