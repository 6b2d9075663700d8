"""Run directories with invented curves, in the format of docs/architecture.md."""

import csv
import json
from pathlib import Path

import numpy as np
import yaml


def make_run(
    folder: Path,
    *,
    shaping: str = "none",
    seed: int = 0,
    steps: int = 20_000,
    level: float = 0.9,
    rows: int = 40,
    status: str = "finished",
    success: bool = True,
    gamma: float = 0.99,
) -> Path:
    """A run whose success rate rises to about `level`, with a reward part for its shaping term."""
    random = np.random.default_rng([seed, len(shaping)])
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text(
        yaml.safe_dump(
            {
                "env": {"id": "breadcrumb/MiniHack-KeyRoom-S5-v0"},
                "shaping": {"terms": {} if shaping == "none" else {shaping: {"weight": 1.0}}},
                "agent": {"name": "ppo", "gamma": gamma},
                "tracking": {"wandb": "offline"},
                "seed": seed,
                "total_timesteps": steps,
                "run_dir": str(folder),
            }
        )
    )
    choices = {"env": "minihack/key_room", "shaping": shaping, "agent": "ppo", "tracking": "none"}
    (folder / "choices.yaml").write_text(yaml.safe_dump(choices))
    at = np.linspace(steps / rows, steps, rows).round()
    rate = np.clip(level / (1 + np.exp(-10 * (at / steps - 0.5))) + random.normal(0, 0.02, rows), 0, 1)
    columns = {
        "time/total_timesteps": at.astype(int),
        "rollout/ep_rew_mean": rate - 0.1,
        "rollout/ep_len_mean": 200 - 150 * rate,
        "rollout/success_rate": rate,
        "reward/task": rate - 0.1,
        "train/policy_gradient_loss": random.normal(0, 0.01, rows),
        "train/value_loss": np.exp(-at / steps),
        "time/fps": np.full(rows, 900.0),
    }
    if not success:
        del columns["rollout/success_rate"]
    if shaping != "none":
        columns[f"reward/{shaping}"] = 2 * rate
        columns["rollout/shaped_return_mean"] = 3 * rate - 0.1
    with (folder / "progress.csv").open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(
            zip(*(["", *v[1:]] if n == "train/value_loss" else v for n, v in columns.items()), strict=True)
        )
    summary = {
        "status": status,
        "steps": int(steps),
        "seconds": steps / 900,
        "steps_per_second": 900.0,
        "task_return_mean": float(rate[-1] - 0.1),
        "success_rate": float(rate[-1]) if success else None,
        "seed": seed,
        "config": choices,
    }
    (folder / "summary.json").write_text(json.dumps(summary))
    return folder
