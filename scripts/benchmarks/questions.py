"""What an answer costs: requests to the embedded language model, and seconds, for a key room."""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

import envs
from scripts.benchmarks.turns import Arguments
from shaping.calm import SubgoalJudge, prompts
from shaping.llm import LanguageModel

TASK = "minihack/key_room"
CAPTIONS, ORDERS = 20, 5
"""A key room says 20 different things; the calm term asks about each in five orders."""


def questions(arguments: Arguments) -> dict[str, Any]:
    """Answer what a run of the calm term asks from an empty cache; {"rows": [...], "ratios": ...}.

    The twelve examples of the threshold and twenty captions, in five orders: 160 questions. What
    the server computes is counted in seconds of processor time too, which a busy machine hardly
    stretches.
    """
    shown = captions()
    turns = []
    for turn in range(arguments.repeats):
        print(f"  {turn + 1}/{arguments.repeats} ...", file=sys.stderr, flush=True)
        turns.append(measured(shown))
    medians = {name: statistics.median(turn[name] for turn in turns) for name in turns[0]}
    seconds = [turn["seconds"] for turn in turns]
    row = {
        "task": f"{TASK}, calm",
        "questions": int(medians["asked"]),
        "requests": int(medians["requests"]),
        "seconds": round(medians["seconds"], 1),
        "fastest": round(min(seconds), 1),
        "slowest": round(max(seconds), 1),
        "processor_seconds": round(medians["processor_seconds"], 1),
    }
    return {
        "rows": [row],
        "ratios": {
            "requests_per_question": round(medians["requests"] / medians["asked"], 4),
            "seconds_per_question": round(medians["seconds"] / medians["asked"], 4),
            "processor_seconds_per_question": round(medians["processor_seconds"] / medians["asked"], 4),
        },
    }


def measured(shown: list[str]) -> dict[str, float]:
    """Questions, requests and seconds of one turn; the start of the server is not in it."""
    with tempfile.TemporaryDirectory() as folder:
        model = LanguageModel(cache=Path(folder) / "answers.sqlite")
        judge = SubgoalJudge(model, list(envs.options()[TASK].subgoals), orders=ORDERS)
        try:
            assert model.server is not None
            model.server.address()
            started, computed = time.perf_counter(), processor_seconds(model.server.pid)
            judge.threshold()
            for caption in shown:
                judge.scores(prompts.event("caption", {"caption": caption}, {}))
            seconds = {
                "seconds": time.perf_counter() - started,
                "processor_seconds": processor_seconds(model.server.pid) - computed,
            }
            return {**model.metrics(), **seconds}
        finally:
            model.close()


def processor_seconds(pid: int | None) -> float:
    """What a process has computed so far, its own time and the kernel's for it (proc(5))."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def captions() -> list[str]:
    """The first different captions of random play."""
    venv = envs.make_vec(str(envs.options()[TASK].id), 16, seed=5, report=("caption",))
    random, found = np.random.default_rng(5), dict[str, None]()
    venv.reset()
    while len(found) < CAPTIONS:
        infos = venv.step(random.integers(0, venv.action_space.n, 16))[3]  # type: ignore[attr-defined]
        found.update(dict.fromkeys(info["caption"] for info in infos))
    venv.close()
    return list(found)[:CAPTIONS]
