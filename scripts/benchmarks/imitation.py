"""What imitation adds to TD3's step, and a learned reward to a batch of the replay buffer."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from stable_baselines3.common.buffers import NStepReplayBuffer, ReplayBuffer
from stable_baselines3.common.vec_env import VecEnv, VecMonitor

import agents
import envs
from agents.imitation import Imitation, LearnedReward, RelabelledReplayBuffer
from foundation.demonstrations import Demonstrations, Header
from scripts.benchmarks.turns import Arguments, compared, median_of_turns, steps_per_second

ENVIRONMENT = "breadcrumb/PointMass-v0"
LEARNER: Mapping[str, Any] = {
    "net_arch": [64, 64], "learning_rate": 1e-3, "batch_size": 64, "learning_starts": 100, "buffer_size": 10_000,
    "action_noise_std": 0.1, "train_freq": 1, "gradient_steps": 1,
}  # fmt: skip
PATHS: Mapping[str, Mapping[str, Any]] = {
    "td3": {}, "gail_td3, d_steps 1": {"d_steps": 1}, "gail_td3, d_steps 4": {"d_steps": 4},
}  # fmt: skip
BATCH, STORED, SAMPLES = 64, 10_000, 400


def imitation(arguments: Arguments) -> dict[str, Any]:
    """Training steps and samples a second, and how many times as long ours take."""
    steps = max(200, arguments.train_steps // 12)
    trained = median_of_turns({name: _training(name, steps) for name in PATHS}, arguments.repeats)
    sampled = median_of_turns({name: _sampling(buffer) for name, buffer in _buffers().items()}, arguments.repeats)
    rows = compared("PointMass, one environment: training", trained, "td3")
    for steps_of, against in ((1, "SB3's"), (10, "SB3's, 10 steps")):
        pair = {name: speeds for name, speeds in sampled.items() if name.endswith("10 steps") == (steps_of == 10)}
        rows += compared(f"batches of {BATCH}, returns over {steps_of}", pair, against)
    return {
        "rows": rows,
        "ratios": {
            "step_time_d_steps_1": _slower(trained, "gail_td3, d_steps 1", "td3"),
            "step_time_d_steps_4": _slower(trained, "gail_td3, d_steps 4", "td3"),
            "sample_time_relabelled": _slower(sampled, "relabelled", "SB3's"),
            "sample_time_relabelled_10": _slower(sampled, "relabelled, 10 steps", "SB3's, 10 steps"),
        },
    }


def _slower(measured: Mapping[str, list[float]], ours: str, theirs: str) -> float:
    return round(statistics.median(measured[theirs]) / statistics.median(measured[ours]), 3)


def _training(name: str, steps: int) -> Callable[[], float]:
    venv: VecEnv = VecMonitor(envs.make_vec(ENVIRONMENT, 1, seed=0))
    given: dict[str, Any] = {**LEARNER, **PATHS[name]}
    if name != "td3":
        given["demonstrations"] = _demonstrations(venv)
    model: Any = agents.build(name.partition(",")[0], venv, seed=0, **given)
    model.learn(200, log_interval=steps)  # past the random steps

    def measure() -> float:
        start = time.perf_counter()
        model.learn(steps, reset_num_timesteps=False, log_interval=steps)
        return steps / (time.perf_counter() - start)

    return measure


def _demonstrations(venv: VecEnv) -> Demonstrations:
    """Of the right shapes: what is in them does not change how long a step takes."""
    random, count = np.random.default_rng(0), 240
    seen = random.uniform(-1, 1, (count, 4)).astype(np.float32)
    return Demonstrations.from_steps(
        Header.of(ENVIRONMENT, venv.observation_space, venv.action_space),
        observations=seen,
        actions=random.uniform(-1, 1, (count, 2)).astype(np.float32),
        rewards=np.zeros(count),
        next_observations=seen,
        terminated=np.zeros(count, np.bool_),
        truncated=np.arange(count) % 60 == 59,
    )


def _buffers() -> dict[str, ReplayBuffer]:
    """Filled buffers by name, with and without a learned reward."""
    venv = envs.make_vec(ENVIRONMENT, 1, seed=0)
    spaces = venv.observation_space, venv.action_space
    venv.close()
    reward = LearnedReward(Imitation(), 4, 2)
    buffers: dict[str, ReplayBuffer] = {
        "SB3's": ReplayBuffer(STORED, *spaces, "cpu"),
        "relabelled": RelabelledReplayBuffer(STORED, *spaces, "cpu"),
        "SB3's, 10 steps": NStepReplayBuffer(STORED, *spaces, "cpu", n_steps=10),
        "relabelled, 10 steps": RelabelledReplayBuffer(STORED, *spaces, "cpu", n_steps=10),
    }
    random = np.random.default_rng(0)
    for buffer in buffers.values():
        if isinstance(buffer, RelabelledReplayBuffer):
            buffer.payer = reward
        for step in range(STORED):
            late = step % 60 == 59
            seen, after = random.uniform(-1, 1, (2, 1, 4))
            infos = [{"TimeLimit.truncated": late}]
            buffer.add(seen, after, random.uniform(-1, 1, (1, 2)), np.zeros(1), np.array([late]), infos)
    return buffers


def _sampling(buffer: ReplayBuffer) -> Callable[[], float]:
    def sample(_: int) -> None:
        buffer.sample(BATCH)

    return lambda: steps_per_second(sample, SAMPLES)
