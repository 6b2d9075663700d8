"""How much the play of a run carries: random messages, an episode each, and what is wrong after."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from agents.coding import Blocks
from foundation.checks import number, whole
from scripts.coding.stage import Stage
from scripts.coding.telling import Settings, executed, one_thread, pilot
from scripts.running.run_directory import Run

FILLED = 0.7
"""The share of what pilot episodes carry that messages take, if nobody says how long they are."""


def carry(
    run: Run,
    settings: Settings,
    *,
    bits: int | None = None,
    episodes: int = 20,
    pilots: int = 20,
    filled: float = FILLED,
    seed: int = 0,
) -> dict[str, float]:
    """Messages through a run, one to an episode that ends when it ends.

    Args:
        run: whose agent plays, on evaluation's seeds.
        settings: of both players.
        bits: of a message; None: `filled` of what the mean pilot episode carries, at least 1.
        episodes: with a message each.
        pilots: episodes without one before, for the return and what an episode carries.
        filled: see `bits`.
        seed: of episodes, messages and draws, each with a stream of its own.

    Returns:
        `bits`, `wrong_bits` (mean), `exact` (share of messages without a wrong bit),
        `return_mean`, `silent_return_mean`, `capacity_mean` (bits that the policy's entropy would
        carry at most), `episode_steps`, `bits_per_step` (right bits), `doubt` (bits left).

    Raises:
        ValueError: numbers out of bounds, or an agent whose actions have no probability each.
    """
    whole("episodes", episodes)
    whole("pilots", pilots)
    number("filled", filled, above=0.0)
    model = run.load_agent()
    probabilities = run.agent.action_probabilities(model, settings.temperature)
    drawing, acting, failing = (np.random.default_rng([seed, stream]) for stream in range(3))
    with one_thread():
        stage = Stage(run, model, probabilities, seed, pictures=False)
        try:
            silent, capacity, _ = pilot(stage, settings.codec(Blocks((2,))).grid, pilots, acting)
            size = max(1, math.floor(filled * capacity.mean)) if bits is None else whole("bits", bits)
            told = [_episode(stage, settings, size, drawing, acting, failing) for _ in range(episodes)]
        finally:
            stage.close()
    wrong, returns, steps, doubt = (np.array(column) for column in zip(*told, strict=True))
    return {
        "bits": float(size),
        "wrong_bits": float(wrong.mean()),
        "exact": float((wrong == 0).mean()),
        "return_mean": float(returns.mean()),
        "silent_return_mean": float(np.mean(silent)),
        "capacity_mean": capacity.mean,
        "episode_steps": float(steps.mean()),
        "bits_per_step": float((size - wrong).sum() / steps.sum()),
        "doubt": float(doubt.mean()),
    }


def _episode(
    stage: Stage, settings: Settings, size: int, drawing: Any, acting: Any, failing: Any
) -> tuple[int, float, int, float]:
    """Wrong bits, return, steps and bits of doubt of one message."""
    blocks = Blocks.of_bits(size, settings.block)
    message = drawing.integers(0, 2, size)
    digits = blocks.digits(blocks.from_bits(message))
    codec = settings.codec(blocks, impossible="ignore")
    stage.begin()
    over = False
    while not over:
        view = stage.view()
        action = codec.choose(digits, view.probabilities, acting, view.mask)
        action = executed(action, view, settings.noise, failing)
        over = stage.step(view, action)
        codec.update(view.probabilities, action, view.mask)
    wrong = int((blocks.to_bits(codec.decode(), size) != message).sum())
    return wrong, sum(step.reward for step in stage.steps), len(stage.steps), codec.entropy
