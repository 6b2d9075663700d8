"""Rewards that a tabular learner designs for itself: EXPLORS and its baselines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from envs.classic import chain, room
from foundation.tabular_mdp import TabularMDP, best_return
from scripts.experiments.claim import Measurement
from scripts.results.comparison import Row, by_arm
from scripts.results.figures import look, panels, short
from shaping.explors import DESIGNERS, Designer, TabularLearner, train

LABELS: dict[Designer, str] = {
    "orig": "no design", "explob": "ExploB", "selfrs": "SelfRS", "sors": "SORS", "lirpg": "LIRPG", "explors": "EXPLORS",
}  # fmt: skip


@dataclass(frozen=True)
class World:
    """What is trained on, with which learner, for how long."""

    mdp: TabularMDP
    horizon: int
    learner: TabularLearner
    episodes: int

    @property
    def designers(self) -> tuple[Designer, ...]:
        """All, but for Q-learning, which the authors' LIRPG is not for."""
        return tuple(name for name in DESIGNERS if name != "lirpg" or self.learner == "reinforce")


WORLDS = {
    "chain": World(chain.chain(), chain.HORIZON, "reinforce", 33_000),
    "chain, distractor": World(chain.chain(distractor=True), chain.HORIZON, "reinforce", 33_000),
    "room": World(room.room("2022"), room.HORIZONS["2022"], "reinforce", 30_000),
    "room, distractor": World(room.room("2022", distractor=True), room.HORIZONS["2022"], "reinforce", 30_000),
    "chain, Q": World(chain.chain(), chain.HORIZON, "q_learning", 33_000),
    "chain, distractor, Q": World(chain.chain(distractor=True), chain.HORIZON, "q_learning", 33_000),
}


def measure(seeds: Sequence[int], picture: Path) -> list[Row]:
    """The twin's rows: every designer in every world."""
    rows = []
    for name, world in WORLDS.items():
        best = best_return(world.mdp, world.horizon)
        for designer in world.designers:
            for seed in seeds:
                training = train(
                    world.mdp, designer, world.learner, horizon=world.horizon, episodes=world.episodes, seed=seed
                )
                metrics = {
                    "final_return": round(float(training.returns[-1]), 4),
                    "episodes_to_80": training.reached(0.8 * best),
                }
                config = {"world": name, "designer": designer, "learner": world.learner, "episodes": world.episodes}
                curves = {"return": (training.episodes.astype(np.float64), training.returns)}
                rows.append(Row(f"{name}: {LABELS[designer]}", seed, config, metrics, curves))
        print(f"{name}: done", flush=True)
    draw(rows, picture)
    return rows


def draw(rows: Sequence[Row], path: Path) -> None:
    """A panel a world: the mean return of every designer over episodes, with its seeds."""
    from matplotlib.ticker import FuncFormatter

    arms = by_arm(rows)
    with panels(path, len(WORLDS), 4.2, 3.0) as (_, axes):
        for panel, (name, world) in zip(axes, WORLDS.items(), strict=True):
            panel.set_title(name)
            panel.axhline(best_return(world.mdp, world.horizon), color="#888888", linewidth=0.8)
            for designer in world.designers:
                curves = [row.curves["return"] for row in arms[f"{name}: {LABELS[designer]}"]]
                style = look(DESIGNERS.index(designer))
                for steps, values in curves:
                    panel.plot(steps, values, **{**style, "linewidth": 0.5, "alpha": 0.4})
                label = LABELS[designer]
                panel.plot(curves[0][0], np.mean([values for _, values in curves], axis=0), **style, label=label)
            panel.xaxis.set_major_formatter(FuncFormatter(lambda value, _: short(value)))
            panel.set_xlabel("episodes")
        axes[0].set_ylabel("return")
        axes[2].legend(loc="upper left")


CLAIM = Measurement(
    title="EXPLORS: a reward designed while exploring, exactly",
    text=(
        "The [tabular trainer of EXPLORS](terms/explors.md) with the settings of its authors: a softmax table learned "
        "by REINFORCE, or Q-learning (`Q`), on the chain and the room of 2022, each also with a distractor that pays "
        "0.01 for nothing. The best returns are 13.70 on the chain and 14.60 in the room. Every 100 episodes the "
        "acting policy's return on the task's own reward is computed, without a visit being counted; `episodes to 80` "
        "is when it first reached 80 % of the best. Nothing was tuned: all numbers are the authors'."
    ),
    measure=measure,
    picture="exact return of the acting policy; thick: mean over seeds, thin: seeds, grey: the best",
)
