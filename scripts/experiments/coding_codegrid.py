"""CodeGrid: a message on the way to a goal, accuracy and return worked out exactly."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from agents.coding import Codec, TabularBelief, enumerate_game
from envs.classic.code_grid import GOAL, HORIZON, code_grid
from foundation.soft_values import SoftPolicy, soft_finite
from foundation.tabular_mdp import FloatArray
from scripts.experiments.claim import Measurement
from scripts.experiments.tabular_sender import Learning, judged, learn
from scripts.results.comparison import Row, by_arm
from scripts.results.figures import figure, look

SIZES = (8, 32, 64, 128)
COLD = 3.0
"""log(1/α) of what is named without one."""
SWEEP = (0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0)
_ACCURACY, _RETURN = "accuracy", "task_return_mean"
LEARNERS = {
    "rl-pr": Learning(weight=0.9, rate=0.5),
    "rl-pr-half": Learning(weight=0.5, rate=0.5),
    "iql": Learning(weight=0.5, rate=0.5, receiver=0.02),
}


def measure(seeds: Sequence[int], picture: Path) -> list[Row]:
    """MEME over a sweep of temperatures, its controls, and who learns, by number of messages."""
    mdp = code_grid()
    soft = {cold: soft_finite(mdp, HORIZON, math.exp(-cold)) for cold in SWEEP}
    available = np.asarray(mdp.available, np.float64)
    uniform = np.tile(available / available.sum(axis=1, keepdims=True), (HORIZON, 1, 1))
    best = np.eye(mdp.n_actions)[soft_finite(mdp, HORIZON, 0.0).probabilities.argmax(axis=2)]
    greedy = SoftPolicy(0.0, best, np.zeros(0))
    rows = []
    for size in SIZES:
        swept = {cold: _exact(size, policy) for cold, policy in soft.items()}
        metrics = dict(zip((_ACCURACY, _RETURN), swept[COLD], strict=True))
        for cold, (accuracy, paid) in swept.items():
            metrics |= {f"{_ACCURACY}_at_{cold:g}": accuracy, f"{_RETURN}_at_{cold:g}": paid}
        rows.append(_row(f"meme-{size}", metrics))
        controls = {
            "uniform": _exact(size, SoftPolicy(math.inf, uniform, np.zeros(0))),
            "greedy": _exact(size, greedy),
            "independent": _exact(size, soft[COLD], coupling="independent"),
        }
        rows += [
            _row(f"{name}-{size}", dict(zip((_ACCURACY, _RETURN), found, strict=True)))
            for name, found in controls.items()
        ]
        for name, learning in LEARNERS.items():
            for seed in seeds:
                found = judged(mdp, learn(mdp, HORIZON, size, learning, seed))
                rows.append(_row(f"{name}-{size}", dict(zip((_ACCURACY, _RETURN), found, strict=True)), seed))
        print(f"{size} messages", flush=True)
    draw(rows, picture)
    return rows


def _exact(size: int, policy: SoftPolicy, coupling: str = "greedy") -> tuple[float, float]:
    """Accuracy and return of messages that are all alike."""
    mdp = code_grid()
    following = mdp.transitions.argmax(axis=2)

    def outcomes(state: int, step: int, action: int) -> list[tuple[float, float, int | None]]:
        after = int(following[state, action])
        over = after == GOAL or step + 1 == HORIZON
        return [(1.0, float(mdp.rewards[state, action]), None if over else after)]

    acts: Callable[[int, int], FloatArray] = policy.at
    found = enumerate_game(Codec(TabularBelief(size), coupling=coupling), np.full(size, 1 / size), 0, acts, outcomes)
    return found.accuracy, found.mean_return


def _row(arm: str, metrics: dict[str, float], seed: int = 0) -> Row:
    return Row(
        arm, seed, {"world": "CodeGrid", "exact": True}, {name: round(value, 4) for name, value in metrics.items()}
    )


def draw(rows: Sequence[Row], path: Path) -> None:
    """Return against accuracy, a panel for each number of messages."""
    arms = by_arm(rows)
    kinds = {
        "rl-pr": "RL+PR (a dot is a seed)",
        "rl-pr-half": "RL+PR, w = .5",
        "iql": "a receiver that learns",
        "uniform": "uniform policy",
        "greedy": "greedy policy",
    }
    with figure(path, 1, len(SIZES), 3.1, 3.4) as (_, panels):
        for axes, size in zip(panels, SIZES, strict=True):
            meme = arms[f"meme-{size}"][0].metrics
            ways = ([float(meme[f"{name}_at_{cold:g}"] or 0) for cold in SWEEP] for name in (_RETURN, _ACCURACY))
            axes.plot(*ways, marker="o", markersize=4, label="MEME, from hot to cold", **look(0))
            for index, (kind, label) in enumerate(kinds.items(), 1):
                points = [row.metrics for row in arms.get(f"{kind}-{size}", [])]
                x, y = ([float(point[name] or 0) for point in points] for name in (_RETURN, _ACCURACY))
                axes.scatter(x, y, s=30, color=look(index)["color"], marker="ooo^sD"[index], label=label, zorder=3)
            axes.set_title(f"{size} messages")
            axes.set_xlabel("task return")
            axes.set_xlim(-0.05, 1.05)
            axes.set_ylim(-0.05, 1.05)
        panels[0].set_ylabel("accuracy")
        panels[0].legend(loc="lower left", fontsize=8)


CLAIM = Measurement(
    title="Coding games: a message on the way to a goal",
    text=(
        "CodeGrid, with 8 to 128 messages, all alike; accuracy and return are worked out over all that can happen. "
        f"`meme-N` is soft value iteration for 8 steps and the codec, at log(1/α) = {COLD:g}; the picture has log(1/α) "
        f"from {SWEEP[0]:g} to {SWEEP[-1]:g}. `uniform` and `greedy` are the same with the uniform policy and with one "
        "that always takes the same best action, `independent` with actions that tell nothing. `rl-pr` learns a table "
        "Q(t, s, m, a) in 100,000 episodes, paid w of the task's reward and 1 − w for the guess of a Bayes receiver: "
        "with w = .9, the best of four weights and three rates of learning on seed 300, and `rl-pr-half` with the "
        "paper's .5. In `iql` the receiver learns too, what each sequence of actions says, and nobody tells it the "
        "sender's policy: the best of the same weights, of two rates and of three of its own."
    ),
    measure=measure,
    picture="return and accuracy",
    columns=(_ACCURACY, _RETURN),
)
