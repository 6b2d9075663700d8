"""Short runs of every kind of agent give the curves that were recorded before the house was remade.

Those of cartpole and pendulum were recorded once more when their episodes got seeds of their own.

python -m tests.scripts.test_recorded_curves NAME...   # records anew, where a change is meant
"""

from __future__ import annotations

import csv
import json
import sys
import tempfile
from pathlib import Path

import pytest

from scripts.train import main

RECORDED = Path(__file__).with_name("recorded_curves.json")
SEEDS = (1, 2)
QUIET = ["tracking=none", "evaluate_episodes=0", "torch_threads=1"]
SHORT = ["agent.n_steps=32", "agent.batch_size=64", "agent.n_epochs=2"]
PPO = [*SHORT, "agent.learning_rate=5e-4"]
REPLAY = ["n_envs=2", "agent.learning_starts=100", "agent.log_every=200", "total_timesteps=600"]
SMALL = ["agent.net_arch=[32,32]", "agent.batch_size=32", "agent.train_freq=2"]
RELEASED = ["shaping.episode.name=terminal_release"]

RUNS: dict[str, list[str]] = {
    "ppo": ["env=minihack/key_room", "shaping=all", "n_envs=4", *PPO, "total_timesteps=384"],
    "ppo-calm": [
        *("env=minihack/key_room", "shaping=calm", "shaping.terms.calm.detector=symbolic"),
        *("shaping.terms.calm.mode=pbrs", "n_envs=4", *PPO, "total_timesteps=256"),
    ],
    "ppo-oni-relabel": [
        *("env=classic/caption_quest", "shaping=oni/classification", "shaping.terms.oni.annotator=rules"),
        *("shaping.terms.oni.relabel=true", "n_envs=8", *PPO, "total_timesteps=1024"),
    ],
    "ppo-transforms": [
        *("env=classic/cartpole", "shaping=count", "shaping.terms.count.normalise=true"),
        *("shaping.terms.count.clip=0.5", "shaping.terms.count.weight=linear(1,0,400)", "shaping.task_weight=0.5"),
        *(*RELEASED, "n_envs=4", *PPO, "total_timesteps=512"),
    ],
    "a2c": ["env=classic/cartpole", "agent=a2c", "shaping=rnd", "n_envs=4", "total_timesteps=1024"],
    "recurrent_ppo": [
        *("env=classic/cartpole", "agent=recurrent_ppo", "shaping=count", *RELEASED, "n_envs=2", *SHORT),
        *("agent.lstm_hidden_size=16", "total_timesteps=256"),
    ],
    "maskable_ppo": [
        *("env=rocket/shoot", "agent=maskable_ppo", "shaping=kinesthetic", "n_envs=4", *PPO, "total_timesteps=384"),
    ],
    "lucy": [
        *("env=rocket/1v1", "env.kwargs.observation=lucy", "agent=lucy/light", "shaping=kinesthetic/lucy"),
        *("n_envs=4", *SHORT, "total_timesteps=256"),
    ],
    "dqn": ["env=classic/cartpole", "agent=dqn", "shaping=count", *RELEASED, *REPLAY],
    "qrdqn": ["env=classic/cartpole", "agent=qrdqn", "shaping=none", *REPLAY],
    "sac": ["env=classic/pendulum", "agent=sac", "shaping=count", *REPLAY, *SMALL],
    "td3": ["env=classic/pendulum", "agent=td3", "shaping=rnd", *REPLAY, *SMALL],
}


def curve(name: str, seed: int) -> dict[str, list[float]]:
    """Column -> its values in the last three rows of progress.csv, but for times."""
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        assert main([*RUNS[name], *QUIET, f"seed={seed}", f"run_dir={run}"]) == 0
        with (run / "progress.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))[-3:]
    columns = [key for key in rows[0] if not key.startswith("time/") or key == "time/total_timesteps"]
    return {key: [float(row[key]) for row in rows] for key in columns if all(row[key] for row in rows)}


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", RUNS)
def test_a_short_run_gives_the_recorded_curve(name: str, seed: int) -> None:
    expected = json.loads(RECORDED.read_text())[f"{name}-{seed}"]
    values = curve(name, seed)
    for column, recorded in expected.items():
        assert values[column] == pytest.approx(recorded, rel=1e-3, abs=1e-5), column


if __name__ == "__main__":
    known = json.loads(RECORDED.read_text()) if RECORDED.exists() else {}
    for chosen in sys.argv[1:] or RUNS:
        known |= {f"{chosen}-{number}": curve(chosen, number) for number in SEEDS}
    lines = ",\n".join(f" {json.dumps(key)}: {json.dumps(value)}" for key, value in known.items())
    RECORDED.write_text(f"{{\n{lines}\n}}\n")
