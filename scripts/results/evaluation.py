"""Lets the agent of a run play episodes that it never trained on, and sums up what came of them."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from stable_baselines3.common.base_class import BaseAlgorithm

import envs
from agents import EpisodeRecord, action_masks
from foundation.checks import whole
from foundation.files import folder_for, replace_json
from scripts.results.clips import write_clip
from scripts.results.figures import short
from scripts.results.intervals import interval, wilson
from scripts.running.run_directory import Run, load_run

CLIP_EPISODES = 3


def evaluate_run(
    run_dir: str | Path,
    episodes: int = 100,
    n_envs: int = 8,
    deterministic: bool = False,
    gif: bool = True,
    seed: int = 0,
    out: str | Path | None = None,
    *,
    trust: bool = False,
) -> dict[str, Any]:
    """Let the newest checkpoint of a run play, and write what came of it to evaluation.json.

    Every environment plays a number of episodes that is fixed before the first step. (Whoever takes
    the first `episodes` that finish takes the short ones.) Returns are those of the Monitor under
    the shaping: the task's own.

    Args:
        run_dir: a run directory with a checkpoint.
        episodes: how many episodes to play.
        n_envs: environments side by side; no more than `episodes` are made.
        deterministic: take the likeliest action instead of sampling.
        gif: also record `CLIP_EPISODES` episodes to videos/episode.gif.
        seed: of the evaluation; its episodes are disjoint from those of training, whatever the
            number.
        out: the folder for both files; None: the run directory.
        trust: let the run execute code, see `load_run`.

    Returns:
        What evaluation.json holds: `episodes`, `return_mean`, `return_iqm`, `return_interval`
        (95 %, bootstrap over episodes), `success_rate` and `success_interval` (95 %, Wilson; null
        where the task knows no success), `length_mean`, `length_min`, `length_max` (steps),
        `seconds`, `trained_steps`, `seed`, `deterministic`, `video`, `video_note`, `stats` (means
        of what the environment itself tells of its episodes; {} where it does not), and for every
        episode `returns`, `lengths`, `successes` and, where the environment tells, `episode_seeds`
        and `statistics`.

    Raises:
        ValueError: fewer than one episode or environment, or nothing can be written where the
            results go; nothing was played then.
        Untrusted: the run was made elsewhere, names code, and is not trusted.
        FileNotFoundError: no such run, or one without a checkpoint.
    """
    whole("episodes", episodes)
    whole("n_envs", n_envs)
    run = load_run(run_dir, trust=trust)
    folder = folder_for(run.path if out is None else out, ("evaluation.json",))
    with _separate_random_state():
        model = run.load_agent()
        started = time.perf_counter()
        records = run.agent.evaluate(model, run, episodes, n_envs=n_envs, seed=seed, deterministic=deterministic)
        seconds = time.perf_counter() - started
        result = {**_summarised(records), "seconds": round(seconds, 2), "trained_steps": int(model.num_timesteps)}
        result |= {
            "seed": seed,
            "deterministic": deterministic,
            "video": None,
            "video_note": "not asked for (gif=false)",
        }
        if gif:
            result["video"], result["video_note"] = _record(run, model, folder, seed, deterministic)
    result |= _columns(records)
    replace_json(folder / "evaluation.json", result)
    return result


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
        lines.append("  statistics     " + ", ".join(f"{name} {short(mean)}" for name, mean in result["stats"].items()))
    lines.append(f"  video          {result['video'] or 'none: ' + result['video_note']}")
    return "\n".join(lines)


def _summarised(records: Sequence[EpisodeRecord]) -> dict[str, Any]:
    returns = [record.task_return for record in records]
    lengths = [record.length for record in records]
    successes = [record.success for record in records if record.success is not None]
    over_episodes = interval(returns)
    rate = wilson(sum(successes), len(successes)) if successes else None
    return {
        "episodes": len(records),
        "return_mean": float(np.mean(returns)),
        "return_iqm": over_episodes.value,
        "return_interval": None if math.isnan(over_episodes.low) else [over_episodes.low, over_episodes.high],
        "success_rate": rate.value if rate else None,
        "success_interval": [rate.low, rate.high] if rate else None,
        "length_mean": float(np.mean(lengths)),
        "length_min": min(lengths),
        "length_max": max(lengths),
        "stats": _mean_statistics(records),
    }


def _mean_statistics(records: Sequence[EpisodeRecord]) -> dict[str, float]:
    statistics = [record.statistics for record in records if record.statistics is not None]
    names = statistics[0] if statistics else ()
    return {name: float(np.mean([episode[name] for episode in statistics])) for name in names}


def _columns(records: Sequence[EpisodeRecord]) -> dict[str, Any]:
    """One list a column, over episodes; those that are told of no episode are left out."""
    columns: dict[str, list[Any]] = {
        "returns": [record.task_return for record in records],
        "lengths": [record.length for record in records],
        "successes": [record.success for record in records],
        "episode_seeds": [record.episode_seed for record in records],
        "statistics": [record.statistics for record in records],
    }
    return {name: values for name, values in columns.items() if any(value is not None for value in values)}


def _record(run: Run, model: BaseAlgorithm, folder: Path, seed: int, deterministic: bool) -> tuple[str | None, str]:
    """The clip's place in the folder, or None and the reason: it fails no evaluation."""
    try:
        venv = run.venv(1, seed, "rgb_array")
    except Exception as error:
        return None, f"the environment cannot be built for rendering: {error}"
    try:
        player = run.agent.player(model, venv.num_envs, deterministic=deterministic, masks=action_masks(venv))
        trim = partial(envs.trim, run.config.env.id)
        return "videos/episode.gif", write_clip(folder / "videos" / "episode.gif", venv, player, CLIP_EPISODES, trim)
    except Exception as error:
        return None, f"{error}"
    finally:
        venv.close()


@contextmanager
def _separate_random_state() -> Iterator[None]:
    """The caller's random states are afterwards what they were."""
    python, legacy = random.getstate(), np.random.get_state()  # noqa: NPY002
    with torch.random.fork_rng():
        try:
            yield
        finally:
            random.setstate(python)
            np.random.set_state(legacy)  # noqa: NPY002
