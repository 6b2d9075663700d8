"""What behaviour alignment costs: BARFI's steps in the square, and the learned combiner on PPO."""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from typing import Any, Literal

from stable_baselines3.common.vec_env import VecMonitor

import agents
import envs
from scripts.benchmarks.learner import Learner, share_of_training
from scripts.benchmarks.turns import Arguments
from shaping import ShapedVecEnv, make_term
from shaping.behaviour_alignment import BehaviourAlignment

STEPS = 6_000
"""Environment steps before anything is timed: more episodes than the curvature looks at."""
CALLS = 50
ROLLOUT = 2_048
HEADS: tuple[Literal["scalar", "state"], ...] = ("scalar", "state")
MODES = ("neumann", "cg", "exact", "first_order", "unrolled")


def barfi(arguments: Arguments) -> dict[str, Any]:
    """Milliseconds a step on one core, after `STEPS` steps of training; {"rows": [...], ...}."""
    models = {mode: trained(hypergradient=mode) for mode in MODES}
    plain = trained(blend="naive", replay=False)
    main = models["neumann"]
    newest = main.replay.newest(main.settings["delta"])
    calls: dict[str, Callable[[], Any]] = {
        f"outer step, {mode}": lambda model=model: model.outer_step(newest_of(model))  # type: ignore[misc]
        for mode, model in models.items()
    }
    calls["inner step, one replayed episode"] = lambda: main.inner_step(main.replay.newest(1))
    calls["REINFORCE update, three episodes"] = lambda: plain.inner_step(newest_of(plain))
    turns: dict[str, list[float]] = {name: [] for name in calls}
    for turn in range(arguments.repeats):
        print(f"  {turn + 1}/{arguments.repeats} ...", file=sys.stderr, flush=True)
        for name, call in calls.items():
            turns[name].append(milliseconds(call))
    rows = [
        {
            "step": name,
            "ms": round(statistics.median(taken), 3),
            "fastest": round(min(taken), 3),
            "slowest": round(max(taken), 3),
        }
        for name, taken in turns.items()
    ]
    outer, inner, update = (
        statistics.median(turns[name])
        for name in (f"outer step, {MODES[0]}", "inner step, one replayed episode", "REINFORCE update, three episodes")
    )
    shares = combiner_shares(arguments)
    burst = main.settings["delta"] * main.settings["inner_mul"]
    return {
        "rows": rows,
        "ratios": {
            "outer_step_ms": round(outer, 3),
            "outer_vs_inner": round(outer / inner, 3),
            "round_vs_reinforce": round((outer + burst * inner) / update, 3),
            "episodes_of_a_round": float(len(newest)),
            **shares,
        },
    }


def combiner_shares(arguments: Arguments) -> dict[str, float]:
    """What the combiner adds to the share that shaping has of PPO's training on the key room."""
    terms = ("events", "count")
    plain = Learner("ours", 1, terms)
    learners = {heads: Learner("ours", 1, terms, BehaviourAlignment(heads=heads)) for heads in HEADS}
    for learner in (plain, *learners.values()):
        learner.speed(2 * ROLLOUT)
    shares: dict[str, list[float]] = {heads: [] for heads in HEADS}
    for _ in range(arguments.repeats):
        without = share_of_training(plain, arguments.train_steps)
        for heads, learner in learners.items():
            shares[heads].append(share_of_training(learner, arguments.train_steps) - without)
    return {f"combiner_share_{heads}": round(statistics.median(taken), 4) for heads, taken in shares.items()}


def trained(**settings: Any) -> Any:
    """A model after `STEPS` steps in the square with the bad heuristic."""
    venv = envs.make_vec("breadcrumb/SparseSquare-v0", 1, seed=0, report=("reward_channels",), heuristic="bad")
    terms = {"channels": make_term("channels", names=["heuristic"])}
    env = ShapedVecEnv(VecMonitor(venv), terms, gamma=0.99, seed=0)
    model: Any = agents.build("barfi", env, seed=0, **settings)
    return model.learn(STEPS, log_interval=None)


def newest_of(model: Any) -> Any:
    """The rows of the newest round."""
    return model.replay.newest(model.settings["delta"])


def milliseconds(call: Callable[[], Any]) -> float:
    """Of one call, the mean of `CALLS`."""
    started = time.perf_counter()
    for _ in range(CALLS):
        call()
    return 1_000.0 * (time.perf_counter() - started) / CALLS
