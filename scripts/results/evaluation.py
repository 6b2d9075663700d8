"""Lets the agent of a run play episodes that it never trained on, and sums up what came of them."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.utils import set_random_seed
from stable_baselines3.common.vec_env import VecEnv

from foundation.files import replace_json
from scripts.results.clips import write_clip
from scripts.results.intervals import interval, wilson
from scripts.running.run_directory import load_run

CLIP_EPISODES = 3


def evaluate_run(
    run_dir: str | Path,
    episodes: int = 100,
    n_envs: int = 8,
    deterministic: bool = False,
    gif: bool = True,
    seed: int = 0,
) -> dict[str, Any]:
    """Let the newest checkpoint of a run play, and write what came of it to RUN/evaluation.json.

    Every environment plays a number of episodes that is fixed before the first step. (Whoever takes the first
    `episodes` that finish takes the short ones.) Returns are those of the Monitor under the shaping: the task's own.

    Args:
        run_dir: a run directory with a checkpoint.
        episodes: how many episodes to play.
        n_envs: environments side by side; no more than `episodes` are made.
        deterministic: take the likeliest action instead of sampling.
        gif: also record `CLIP_EPISODES` episodes to RUN/videos/episode.gif.
        seed: of the evaluation; its episodes are disjoint from those of training, whatever the number.

    Returns:
        What evaluation.json holds: `episodes`, `return_mean`, `return_iqm`, `return_interval` (95 %, bootstrap over
        episodes), `success_rate` and `success_interval` (95 %, Wilson; null where the task knows no success),
        `length_mean`, `length_min`, `length_max` (steps), `seconds`, `trained_steps`, `seed`, `deterministic`, `video`,
        `video_note`, `stats` (means of what the environment itself tells of its episodes; {} where it does not), and
        for every episode `returns`, `lengths`, `successes` and, where the environment tells, `episode_seeds` and
        `statistics`.

    Raises:
        ValueError: fewer than one episode or environment.
        FileNotFoundError: no such run, or one without a checkpoint.
    """
    if episodes < 1 or n_envs < 1:
        raise ValueError(f"episodes={episodes}, n_envs={n_envs}: at least one of each is needed")
    run = load_run(run_dir)
    with _own_random_state():
        agent = run.load_agent()
        venv = run.build_env(split="eval", n_envs=min(n_envs, episodes), seed=seed)
        try:
            set_random_seed(seed)  # now: loading an agent seeds everything with the training's seed again
            started = time.perf_counter()
            played = play(agent, venv, episodes, deterministic=deterministic)
            seconds = time.perf_counter() - started
        finally:
            venv.close()
        result = {**_summarised(played), "seconds": round(seconds, 2), "trained_steps": int(agent.num_timesteps)}
        result |= {
            "seed": seed,
            "deterministic": deterministic,
            "video": None,
            "video_note": "not asked for (gif=false)",
        }
        if gif:
            result["video"], result["video_note"] = _record(run, agent, Path(run_dir), seed, deterministic)
    result |= _columns(played)
    replace_json(Path(run_dir) / "evaluation.json", result)
    return result


def play(agent: BaseAlgorithm, venv: VecEnv, episodes: int, *, deterministic: bool = False) -> list[dict[str, Any]]:
    """Play `episodes` episodes, as evenly over the environments as they divide, and return one record each.

    Args:
        agent: any algorithm of `agents.algorithms`, recurrent and maskable ones too.
        venv: a vector environment with a Monitor in it, so that `infos[i]["episode"]` stands on an episode's last step.

    Returns:
        Records with `return`, `length`, `success` (None where unknown) and `episode_seed` (None where untold), in the
        order of the environments.

    Raises:
        KeyError: an episode ended without a Monitor's record.
    """
    quota = [(episodes + i) // venv.num_envs for i in range(venv.num_envs)]
    records: list[list[dict[str, Any]]] = [[] for _ in quota]
    actor = Actor(agent, venv, deterministic)
    observations = venv.reset()
    while any(len(done) < wanted for done, wanted in zip(records, quota, strict=True)):
        observations, _, dones, infos = venv.step(actor(observations))
        actor.episode_starts = dones
        for index in np.flatnonzero(dones):
            if len(records[index]) < quota[index]:
                records[index].append(_record_of(infos[index]))
    return [record for own in records for record in own]


class Actor:
    """An agent's `predict` with what belongs to it: recurrent states, which episodes start, and action masks."""

    def __init__(self, agent: BaseAlgorithm, venv: VecEnv, deterministic: bool) -> None:
        from sb3_contrib import MaskablePPO
        from sb3_contrib.common.maskable.utils import is_masking_supported

        self._agent, self._venv, self._deterministic = agent, venv, deterministic
        self._masks = isinstance(agent, MaskablePPO) and is_masking_supported(venv)
        self._state: Any = None
        self.episode_starts: Any = np.ones(venv.num_envs, np.bool_)

    def __call__(self, observations: Any) -> np.ndarray:
        """Actions (n_envs, ...) for observations of all environments."""
        more: dict[str, Any] = {}
        if self._masks:
            from sb3_contrib.common.maskable.utils import get_action_masks

            more["action_masks"] = get_action_masks(self._venv)
        actions, self._state = self._agent.predict(
            observations,
            state=self._state,
            episode_start=self.episode_starts,
            deterministic=self._deterministic,
            **more,
        )
        return actions


def describe(result: dict[str, Any]) -> str:
    """An evaluation in a few lines for a terminal."""
    low, high = result["return_interval"] or (None, None)
    between = f"  [{low:.3f}, {high:.3f}]" if low is not None else ""
    lines = [
        f"{result['episodes']} episodes on evaluation seeds after {result['trained_steps']:,} training steps",
        f"  task return    mean {result['return_mean']:.3f}   IQM {result['return_iqm']:.3f}{between}",
    ]
    if result["success_rate"] is None:
        lines.append("  success rate   this task has no notion of success")
    else:
        low, high = result["success_interval"]
        lines.append(f"  success rate   {100 * result['success_rate']:.0f} %  [{100 * low:.0f} %, {100 * high:.0f} %]")
    lines.append(
        f"  length         mean {result['length_mean']:.1f} steps   {result['length_min']} to {result['length_max']}"
    )
    if result["stats"]:
        lines.append("  statistics     " + ", ".join(f"{name} {mean:.1f}" for name, mean in result["stats"].items()))
    lines.append(f"  video          {result['video'] or 'none: ' + result['video_note']}")
    return "\n".join(lines)


def _record_of(info: dict[str, Any]) -> dict[str, Any]:
    episode = info["episode"]
    return {
        "return": round(float(episode["r"]), 6),  # the Monitor sums in float32
        "length": int(episode["l"]),
        "success": bool(info["is_success"]) if "is_success" in info else None,
        "episode_seed": int(info["episode_seed"]) if "episode_seed" in info else None,
        "stats": dict(info["stats"]) if "stats" in info else None,
    }


def _summarised(played: list[dict[str, Any]]) -> dict[str, Any]:
    returns = [record["return"] for record in played]
    lengths = [record["length"] for record in played]
    successes = [record["success"] for record in played if record["success"] is not None]
    over_episodes = interval(returns)
    rate = wilson(sum(successes), len(successes)) if successes else None
    return {
        "episodes": len(played),
        "return_mean": float(np.mean(returns)),
        "return_iqm": over_episodes.value,
        "return_interval": None if math.isnan(over_episodes.low) else [over_episodes.low, over_episodes.high],
        "success_rate": rate.value if rate else None,
        "success_interval": [rate.low, rate.high] if rate else None,
        "length_mean": float(np.mean(lengths)),
        "length_min": min(lengths),
        "length_max": max(lengths),
        "stats": _mean_statistics(played),
    }


def _mean_statistics(played: list[dict[str, Any]]) -> dict[str, float]:
    kept = [record["stats"] for record in played if record["stats"] is not None]
    return {name: float(np.mean([one[name] for one in kept])) for name in (kept[0] if kept else ())}


def _columns(played: list[dict[str, Any]]) -> dict[str, Any]:
    columns = {"returns": "return", "lengths": "length", "successes": "success", "episode_seeds": "episode_seed",
               "statistics": "stats"}  # fmt: skip
    return {
        name: [record[key] for record in played]
        for name, key in columns.items()
        if any(record[key] is not None for record in played)
    }


def _record(run: Any, agent: BaseAlgorithm, run_dir: Path, seed: int, deterministic: bool) -> tuple[str | None, str]:
    """The clip's place in the run directory, or None and the reason. A clip that fails never fails an evaluation."""
    try:
        venv = run.build_env(split="eval", n_envs=1, render_mode="rgb_array", seed=seed)
    except Exception as error:
        return None, f"the environment cannot be built for rendering: {error}"
    try:
        note = write_clip(run_dir / "videos" / "episode.gif", venv, Actor(agent, venv, deterministic), CLIP_EPISODES)
        return "videos/episode.gif", note
    except Exception as error:
        return None, f"{error}"
    finally:
        venv.close()


@contextmanager
def _own_random_state() -> Iterator[None]:
    """The caller's random states are afterwards what they were."""
    python, legacy = random.getstate(), np.random.get_state()  # noqa: NPY002
    with torch.random.fork_rng():
        try:
            yield
        finally:
            random.setstate(python)
            np.random.set_state(legacy)  # noqa: NPY002
