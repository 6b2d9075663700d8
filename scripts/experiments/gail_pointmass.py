"""Off-policy adversarial imitation of four thinned demonstrations, with and without a penalty."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from stable_baselines3.common.vec_env import VecEnv, VecMonitor

import agents
import envs
from agents.players import Player, play
from envs.classic.point_mass import ID, brake_and_return
from foundation.demonstrations import Demonstrations, Header
from scripts.experiments.claim import Measurement
from scripts.results.comparison import Row, by_arm
from scripts.results.figures import figure, look

EPISODES, RATE = 4, 10
STEPS = 5_000
EVALUATED = 5
LEARNER: Mapping[str, Any] = {
    "net_arch": [64, 64], "learning_rate": 1e-3, "batch_size": 64, "learning_starts": 500, "action_noise_std": 0.1,
    "buffer_size": 5_000, "diagnose_every": 100,
}  # fmt: skip
ARMS: Mapping[str, Mapping[str, Any]] = {
    "gp": {}, "none": {"penalty": "none"}, "sn": {"penalty": "none", "spectral_norm": True},
    "sqil": {"reward": "sqil"}, "constant": {"reward": "constant"}, "random": {"reward": "random"},
}  # fmt: skip
LEARN = ("gp", "none", "sn")
"""Arms with a discriminator that learns: each with one and with four minibatches an update."""
SEEN = ("d_expert", "d_agent", "d_slope_replay_mean", "d_slope_replay_max", "q_slope")


def record(seed: int, episodes: int = EPISODES) -> Demonstrations:
    """Episodes of the scripted expert of PointMass."""
    venv = envs.make_vec(ID, 1, seed=seed)
    steps: dict[str, list[Any]] = {
        name: [] for name in ("observations", "actions", "rewards", "next_observations", "terminated", "truncated")
    }
    try:
        seen = np.asarray(venv.reset())
        while sum(steps["truncated"]) < episodes:
            action = brake_and_return(seen).astype(np.float32)
            after, rewards, dones, infos = venv.step(action)
            late = bool(infos[0].get("TimeLimit.truncated", False))
            row = (
                seen[0],
                action[0],
                rewards[0],
                infos[0]["terminal_observation"] if dones[0] else np.asarray(after)[0],
            )
            for name, value in zip(steps, (*row, bool(dones[0]) and not late, late), strict=True):
                steps[name].append(value)
            seen = np.array(after)
        header = Header.of(ID, venv.observation_space, venv.action_space, source="scripted: brake", seed=seed)
        return Demonstrations.from_steps(header, **{name: np.array(rows) for name, rows in steps.items()})
    finally:
        venv.close()


def imitate(seed: int, settings: Mapping[str, Any], demonstrations: Demonstrations) -> dict[str, float | None]:
    """Train once; the return without noise and what was last measured of the discriminator."""
    venv: VecEnv = VecMonitor(envs.make_vec(ID, 1, seed=seed))
    try:
        given: dict[str, Any] = {"demonstrations": demonstrations, "subsample": RATE, "subsample_seed": seed}
        model: Any = agents.build("gail_td3", venv, seed=seed, **{**LEARNER, **given, **settings})
        model.learn(STEPS, log_interval=STEPS)
        measured = model.logger.name_to_value
        metrics: dict[str, float | None] = {"return_mean": evaluated(model, seed)}
        return metrics | {name: measured.get(f"train/{name}") for name in SEEN}
    finally:
        venv.close()


def evaluated(model: Any, seed: int) -> float:
    """The mean return of episodes that no seed of training has."""
    venv = VecMonitor(envs.make_vec(ID, 1, seed=seed, split="eval"))
    try:
        episodes = play(Player(model, 1, deterministic=True), venv, EVALUATED)
        return float(np.mean([episode.task_return for episode in episodes]))
    finally:
        venv.close()


def runs() -> dict[str, Mapping[str, Any]]:
    """Arm -> settings."""
    arms: dict[str, Mapping[str, Any]] = {}
    for name, settings in ARMS.items():
        if name in LEARN:
            arms |= {f"{name}, d_steps {steps}": {**settings, "d_steps": steps} for steps in (4, 1)}
        else:
            arms[name] = settings
    return arms


def measure(seeds: Sequence[int], picture: Path) -> list[Row]:
    """The twin's rows, the expert's own returns among them."""
    rows = []
    for seed in seeds:
        demonstrations = record(seed)
        expert = {"return_mean": float(demonstrations.returns.mean())}
        rows.append(Row("expert", seed, {"env": ID}, expert))
        for arm, settings in runs().items():
            rows.append(Row(arm, seed, {"env": ID, **settings}, imitate(seed, settings, demonstrations)))
    _draw(rows, picture)
    return rows


def _draw(rows: Sequence[Row], picture: Path) -> None:
    arms = by_arm(rows)
    with figure(picture, 1, 1, 7.0, 3.4) as (_, (axes,)):
        for index, (_, of_arm) in enumerate(arms.items()):
            returns = [float(row.metrics["return_mean"] or 0.0) for row in of_arm]
            axes.scatter([index] * len(returns), returns, s=18, color=look(index)["color"])
        axes.set_xticks(range(len(arms)), list(arms), rotation=30, ha="right")
        axes.set_ylabel("return")
        axes.set_title("PointMass, 24 steps of an expert")


CLAIM = Measurement(
    title="Off-policy adversarial imitation: a penalty on the discriminator's slope",
    text=(
        "[gail_td3](imitation.md) on PointMass from 4 episodes of the scripted expert, one step of ten kept: 24 steps. "
        "5,000 environment steps, networks of 64 and 64. `gp` has the gradient penalty of the paper, `none` no "
        "penalty, `sn` spectral norms instead; each with four and with one minibatch of the discriminator an update. "
        "`sqil` has no discriminator; `constant` and `random` are controls whose reward says nothing of the expert. "
        "The return is the task's own, which none of them sees, over 5 episodes without noise."
    ),
    measure=measure,
    picture="returns; a dot is a seed",
    columns=("return_mean", *SEEN),
)
