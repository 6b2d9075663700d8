"""EXPADARD: a reward designed anew for the learner, against rewards designed once."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from envs.classic.line_key import line_key
from envs.classic.room import room
from foundation.tabular_mdp import FloatArray, TabularMDP, solve
from scripts.experiments.claim import Measurement
from scripts.experiments.tabular_learners import Curve, reinforce
from scripts.results.comparison import Row
from scripts.results.figures import figure, look, short
from shaping.designed import Expadard, Measure, exprd, invariance_only, structure

EPISODES, HORIZON, CHECK, ENOUGH = 30_000, 30, 100, 0.8
WORLDS: dict[str, tuple[TabularMDP, str]] = {
    "room": (room("2024"), "room_blocks"),
    "line_key": (line_key(), "line_key_tree"),
}
"""World -> its process, and the structure of its rewards."""
PERIODS = (100, 1000)
COUNTED: Literal["h"] = "h"
"""How the code of 2024 counts rewards within a horizon."""


def designs(mdp: TabularMDP, name: str) -> Iterator[tuple[str, int, Callable[[FloatArray], FloatArray]]]:
    """Every arm: its name, the episodes between two designs, and what designs."""

    def once(rewards: FloatArray) -> Callable[[FloatArray], FloatArray]:
        return lambda policy: rewards

    features = structure(name, mdp)
    yield "task", CHECK, once(mdp.rewards)
    yield "invariance", CHECK, once(invariance_only(mdp, features).rewards)
    yield "exprd", CHECK, once(exprd(mdp, None, features=features, measure=Measure(counted=COUNTED)).rewards)
    adaptive, free = Expadard(mdp, features), Expadard(mdp)
    for period in PERIODS:
        yield f"expadard-{period}", period, lambda policy: adaptive.solve(policy).rewards
    yield "expadard-100, no structure", CHECK, lambda policy: free.solve(policy).rewards


def measure(seeds: Sequence[int], picture: Path) -> list[Row]:
    """The twin's rows; draws the picture."""
    rows = []
    for world, (mdp, name) in WORLDS.items():
        best = float(mdp.start @ solve(mdp).values)
        for arm, period, design in designs(mdp, name):
            for seed in seeds:
                started = time.perf_counter()
                curve = reinforce(
                    mdp, design, episodes=EPISODES, horizon=HORIZON, redesign=period, check=CHECK, seed=seed
                )
                rows.append(_row(f"{world}: {arm}", seed, curve, best, time.perf_counter() - started))
            print(f"{world}, {arm}: {len(seeds)} seeds", flush=True)
    draw(rows, picture)
    return rows


def _row(arm: str, seed: int, curve: Curve, best: float, seconds: float) -> Row:
    metrics = {
        "episodes_to_80": curve.first(ENOUGH * best),
        "share_of_best": float(curve.values[-1]) / best,
        "value": float(curve.values[-1]),
        "seconds": seconds,
    }
    return Row(arm, seed, {}, metrics, {"value": (curve.episodes.astype(np.float64), curve.values)})


def draw(rows: Sequence[Row], path: Path) -> None:
    """Values over episodes: a line the mean over seeds, a panel a world."""
    with figure(path, 1, len(WORLDS), 4.6, 3.8) as (drawing, panels):
        for (world, (mdp, _name)), panel in zip(WORLDS.items(), panels, strict=True):
            arms = dict.fromkeys(row.arm for row in rows if row.arm.startswith(f"{world}: "))
            for index, arm in enumerate(arms):
                curves = [row.curves["value"] for row in rows if row.arm == arm]
                mean = np.mean([values for _, values in curves], axis=0)
                panel.plot(curves[0][0], mean, label=arm.partition(": ")[2], **look(index))
            panel.axhline(float(mdp.start @ solve(mdp).values), color="#d9dce1")
            panel.set_title(world)
            panel.set_xlabel("episodes")
            panel.set_ylabel("value under the task")
            panel.xaxis.set_major_formatter(lambda value, _: short(value))
        drawing.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)


CLAIM = Measurement(
    title="EXPADARD: a reward for the learner as it is",
    text=(
        "REINFORCE (softmax, learning rate .01) learns from each reward for 30 000 episodes of at most 30 steps; its "
        "policy is evaluated exactly under the task every 100. The reward has to fit a structure: in the room nine "
        "overlapping blocks and the goal, on the line with a key the five leaves of a tree, each per action. `task` is "
        "the task's own reward; `invariance` any reward of the structure that leaves the best policy the best, as the "
        "solver happens to choose; `exprd` the most informative one, designed once; `expadard-N` "
        "[EXPADARD](terms/designed.md), designed anew every N episodes. `no structure`: a weight for every pair of "
        "state and action."
    ),
    measure=measure,
    picture="value of the policy under the task, means over seeds; the grey line is the best",
    columns=("episodes_to_80", "share_of_best", "value"),
)
