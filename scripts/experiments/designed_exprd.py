"""EXPRD: how informative rewards in few states are, and how fast Q-learning is with them."""

from __future__ import annotations

import functools
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from envs.classic.room import room
from foundation.tabular_mdp import TabularMDP, solve
from scripts.experiments.claim import Measurement
from scripts.experiments.tabular_learners import q_learning
from scripts.results.comparison import Row, by_arm, known_values
from scripts.results.figures import COLOURS, figure
from shaping.designed import DesignResult, exprd, landmarks, pbrs, verified

LANDMARKS = (9, 15, 19, 37, 32)
"""The four gates and the room's last doorway, as a person would choose."""
BUDGETS = (1, 3, 5, 10)
PRICE = 1e-6
"""A price of reward that only decides between rewards of the same informativeness."""
EPISODES, HORIZON, CHECK, ENOUGH = 2**15, 50, 64, 0.9


@functools.cache
def rewards() -> tuple[TabularMDP, Mapping[str, DesignResult]]:
    """The room of 2021, and every arm's reward."""
    mdp = room("2021")
    by_hand = landmarks(mdp, LANDMARKS)
    plain = {
        "task": mdp.rewards,
        "landmarks": by_hand,
        "pbrs-landmarks": pbrs(mdp, solve(mdp, by_hand).values),
        "pbrs-best": pbrs(mdp, solve(mdp).values),
    }
    arms = {name: verified(mdp, table, name) for name, table in plain.items()}
    arms |= {f"exprd-{budget}": exprd(mdp, budget) for budget in BUDGETS}
    arms["exprd-all"] = exprd(mdp, None)
    arms["exprd-5, least"] = exprd(mdp, 5, l1=PRICE)
    return mdp, arms


def measure(seeds: Sequence[int], picture: Path) -> list[Row]:
    """The twin's rows; draws the picture."""
    mdp, arms = rewards()
    enough = ENOUGH * float(mdp.start @ solve(mdp).values)
    rows = []
    for arm, result in arms.items():
        for seed in seeds:
            started = time.perf_counter()
            curve = q_learning(
                mdp, result.rewards, episodes=EPISODES, horizon=HORIZON, check=CHECK, seed=seed, enough=enough
            )
            metrics = {
                "informativeness": result.informativeness,
                "reward_sum": float(np.abs(result.rewards).sum()),
                "changed_states": float(len(result.invariance.changed)),
                "start_loss": result.invariance.start_loss,
                "episodes_to_90": curve.first(enough),
                "seconds": time.perf_counter() - started,
            }
            rows.append(Row(arm, seed, {"states": list(result.states)}, metrics))
        print(f"{arm}: {len(seeds)} seeds", flush=True)
    draw(rows, picture)
    return rows


def draw(rows: Sequence[Row], path: Path) -> None:
    """Informativeness against the episodes that learning takes: a dot a seed, a line the median."""
    with figure(path, 1, 2, 4.4, 3.6) as (_, (left, right)):
        arms = by_arm(rows)
        names = list(arms)
        for place, (arm, arm_rows) in enumerate(arms.items()):
            taken = known_values([row.metrics["episodes_to_90"] for row in arm_rows])
            colour = COLOURS[0 if arm.startswith("exprd") else 1]
            right.plot(taken, [place] * len(taken), "o", color=colour, alpha=0.6)
            right.plot([float(np.median(taken))] * 2, [place - 0.3, place + 0.3], color=colour)
            left.barh(place, float(arm_rows[0].metrics["informativeness"] or 0.0), color=colour)
        for axes in (left, right):
            axes.set_yticks(range(len(names)), names)
            axes.invert_yaxis()
        right.tick_params(labelleft=False)
        left.locator_params(axis="x", nbins=4)
        right.set_xscale("log")
        right.set_xlabel("episodes to 90 % of the best value")
        left.set_xlabel("informativeness")


CLAIM = Measurement(
    title="EXPRD: an informative reward in few states",
    text=(
        "The room of 2021, 50 states. Q-learning (α = .5, ε = .1) learns from each reward; its greedy policy is "
        "evaluated exactly under the task every 64 episodes. `task` is the task's own reward, which pays at the "
        "goal alone; `landmarks` adds ±1 at the gates and a doorway by hand; `pbrs-landmarks` and `pbrs-best` are "
        "potentials, the values of the landmarks' reward and of the task. `exprd-B` is [EXPRD](terms/designed.md) "
        "with B states beside the goal, `exprd-all` with all; "
        "`exprd-5, least` is, of the rewards that are as informative as `exprd-5`, one with the least Σ |R| (l1=1e-6). "
        "`reward sum` is Σ |R|. `changed states` are those in which the reward calls "
        "best what is worse for the task, `start loss` what following it costs at the start."
    ),
    seeds=tuple(range(100, 110)),
    measure=measure,
    picture="informativeness, and episodes to 90 % of the best value; a dot is a seed, a line the median",
    columns=("informativeness", "reward_sum", "changed_states", "start_loss", "episodes_to_90"),
)
