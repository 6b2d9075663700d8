"""MEC-B on the noisy grid: what a rate costs, by encoder, and a dead end that is left."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from agents.coding import Codec, TabularBelief
from envs.classic.code_grid import NOISY_HORIZON, code_grid_noisy
from foundation.soft_values import soft_discounted
from foundation.tabular_mdp import FloatArray, TabularMDP
from scripts.experiments.claim import Measurement
from scripts.results.comparison import Row, by_arm
from scripts.results.figures import figure, look, rate_axis
from scripts.results.intervals import interval

MESSAGES = 512
RATES = (0.1, 0.5, 1.0)
COLD = (-3.0, -4.0, -5.0, -6.0)
"""log β, β the temperature as the authors name it."""
_EPISODES = 100
_ENCODERS = {"ebim": "ebim", "quantiser": "quantiser", "dead-end": "ebim_deterministic"}


def measure(seeds: Sequence[int], picture: Path) -> list[Row]:
    """Every encoder at every rate; the dead end is EBIM without its refinement, at the lowest."""
    mdp, _ = code_grid_noisy()
    policies = {cold: soft_discounted(mdp, math.exp(cold), absorbing_entropy=True).probabilities for cold in COLD}
    rows = []
    for name, encoder in _ENCODERS.items():
        for rate in RATES if name != "dead-end" else RATES[:1]:
            for seed in seeds:
                metrics: dict[str, float | None] = {}
                for cold, policy in policies.items():
                    hits, returns, bits = _played(mdp, policy, encoder, rate, seed)
                    metrics |= {
                        f"accuracy_at_{cold:g}": float(np.mean(hits)),
                        f"return_at_{cold:g}": round(float(np.mean(returns)), 4),
                        f"bits_at_{cold:g}": round(float(np.mean(bits)), 3),
                    }
                rows.append(Row(f"{name}-{rate:g}", seed, {"rate": rate, "encoder": encoder}, metrics))
            print(f"{name} at a rate of {rate:g}", flush=True)
    _draw(rows, picture)
    return rows


def _played(
    mdp: TabularMDP, policy: FloatArray, encoder: str, rate: float, seed: int
) -> tuple[list[bool], list[float], list[float]]:
    """Hits, discounted returns and bits learned of some episodes."""
    drawing, acting, moving = (np.random.default_rng([seed, stream]) for stream in range(3))
    ends, start = set(mdp.absorbing), int(mdp.start.argmax())
    hits, returns, bits = [], [], []
    codec = Codec(TabularBelief(MESSAGES), rate=rate, encoder=encoder)
    for _ in range(_EPISODES):
        codec.reset()
        prior = codec.entropy
        message, state, paid = int(drawing.integers(MESSAGES)), start, 0.0
        for step in range(NOISY_HORIZON):
            action = codec.choose(message, policy[state], acting)
            codec.update(policy[state], action)
            after = int(moving.choice(mdp.n_states, p=mdp.transitions[state, action]))
            if after in ends:
                paid = mdp.gamma ** (step + 1) * (1.0 if after == min(ends) else -1.0)
                break
            state = after
        hits.append(codec.decode() == message)
        returns.append(paid)
        bits.append(prior - codec.entropy)
    return hits, returns, bits


def _draw(rows: Sequence[Row], path: Path) -> None:
    """Accuracy and return at every temperature; interquartile means and intervals over seeds."""
    with figure(path, 1, 2, 5.4, 3.8) as (_, panels):
        for axes, name in zip(panels, ("accuracy", "return"), strict=True):
            for index, (arm, arm_rows) in enumerate(by_arm(rows).items()):
                around = [
                    interval([float(row.metrics[f"{name}_at_{cold:g}"] or 0) for row in arm_rows]) for cold in COLD
                ]
                middle = [each.value for each in around]
                error = [[each.value - each.low for each in around], [each.high - each.value for each in around]]
                axes.errorbar(COLD, middle, yerr=error, marker="o", capsize=2, label=arm, **look(index))
            axes.set_xlabel("log β, from cold to hot")
            axes.set_title(name)
        rate_axis(panels[0])
        panels[1].legend(fontsize=8)


CLAIM = Measurement(
    title="Coding games: a bottleneck between message and sender",
    text=(
        f"The noisy grid of MEC-B, {MESSAGES} messages, {_EPISODES} episodes a seed, {NOISY_HORIZON} steps at most. A "
        "policy of soft value iteration at four temperatures β; a step tells at most the rate's share of log2 512 "
        "bits, through [EBIM](coding.md) or the uniform quantiser. `dead-end` is EBIM without theorem 3, which halves "
        "two equal messages by giving a little to a third. `return` is discounted by .95."
    ),
    measure=measure,
    picture="accuracy and return by temperature",
    columns=tuple(f"{name}_at_{cold:g}" for name in ("accuracy", "return") for cold in COLD),
)
