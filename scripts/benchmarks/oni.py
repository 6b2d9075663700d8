"""What the oni term costs: PPO with labels at hand, and beside a slow annotator."""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from scripts.benchmarks.learner import PPO_TASK, Learner, share_of_training
from scripts.benchmarks.turns import Arguments, compared
from scripts.results.comparison import Row
from scripts.results.figures import figure, look
from shaping import make_term


class SlowAnnotator:
    """A language model on a slow line: a question is always under way, a look at it a second."""

    batch, workers, identity = 1, 1, "slow"

    def known(self, message: str) -> float | None:
        return None

    def annotate(self, messages: Sequence[str]) -> list[float | None]:
        for _ in range(600):  # longer than a benchmark: each message is asked about once
            time.sleep(1.0)
        return [None for _ in messages]


def terms() -> dict[str, Any]:
    """The oni term's reward functions with labels at hand, and retrieval beside `SlowAnnotator`."""
    functions = ("retrieval", "classification", "ranking")
    terms = {name: make_term("oni", function=name, annotator="rules") for name in functions}
    return {**terms, "slow annotator": make_term("oni", annotator=SlowAnnotator())}


def oni(arguments: Arguments) -> dict[str, Any]:
    """Training with the oni term against training without, and the term's share of the time."""
    turns = measured(arguments)
    rows = compared(f"{PPO_TASK}, PPO", {name: [turn[name][0] for turn in turns] for name in turns[0]}, "none")
    shares = {name: statistics.median(turn[name][1] for turn in turns) for name in turns[0]}
    ratios = {
        f"oni_share_{name}".replace(" ", "_"): round(share, 4) for name, share in shares.items() if name != "none"
    }
    ratios["slow_annotator_vs_retrieval"] = round(
        statistics.median(turn["slow annotator"][0] / turn["retrieval"][0] for turn in turns), 4
    )
    return {"rows": rows, "ratios": ratios}


def measured(arguments: Arguments) -> list[dict[str, tuple[float, float]]]:
    """Name -> (training steps a second, share of the time in the term), turn by turn."""
    empty = Learner("ours", 2, {})
    learners = {"none": empty} | {name: Learner("ours", 2, {"oni": term}) for name, term in terms().items()}
    for learner in learners.values():
        learner.speed(16_384)  # messages are met, networks fitted
    turns = []
    for turn in range(arguments.repeats):
        measurements = {}
        for name, learner in learners.items():
            print(f"  {turn + 1}/{arguments.repeats}  {name} ...", file=sys.stderr, flush=True)
            measurements[name] = (
                learner.speed(arguments.train_steps),
                share_of_training(learner, arguments.train_steps // 2),
            )
        base = measurements["none"][1]  # ShapedVecEnv itself
        turns.append({name: (speed, max(0.0, share - base)) for name, (speed, share) in measurements.items()})
    for learner in learners.values():
        learner.venv.close()
    return turns


def study(seeds: Sequence[int], picture: Path) -> list[Row]:
    """A turn of `oni` for every seed, as rows of a twin; draws the shares."""
    turns = measured(Arguments(repeats=len(seeds)))
    rows = []
    for seed, turn in zip(seeds, turns, strict=True):
        for name, (speed, share) in turn.items():
            metrics = {
                "speed_against_none": round(speed / turn["none"][0], 4),
                "speed_against_retrieval": round(speed / turn["retrieval"][0], 4),
                "share_of_training": round(share, 5),
                "steps_per_second": round(speed),
            }
            rows.append(Row(name, seed, {"task": PPO_TASK, "agent": "ppo"}, metrics, {}, {}))
    names = [name for name in turns[0] if name != "none"]
    with figure(picture, 1, 1, 5.6, 3.2) as (_, (axes,)):
        for index, name in enumerate(names):
            shares = [100 * turn[name][1] for turn in turns]
            axes.bar(index, statistics.median(shares), width=0.6, color=look(index)["color"], alpha=0.75)
            axes.scatter([index] * len(shares), shares, s=14, color="#333840", zorder=3)
        axes.set_xticks(range(len(names)), names)
        axes.set_ylabel("percent of training time")
        axes.set_title("What the oni term costs")
    return rows
