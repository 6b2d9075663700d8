"""The rows of the comparison: who trains, over which environment, and how that is started."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from foundation.files import read_json
from scripts.benchmarks.peers.order import Order
from scripts.benchmarks.peers.throw_away import (
    PUFFERLIB,
    ROOT,
    SAMPLE_FACTORY,
    Installation,
    reason,
    without_compiler_of_gpus,
)


class Unfinished(RuntimeError):
    """A training has no result; the reason in one line."""


@dataclass(frozen=True)
class Row:
    """One row of the table.

    Attributes:
        title: in the table.
        world: "ours" or "stock".
        module: what is run, in `scripts.benchmarks.peers`; None for our own command.
        installation: what its Python needs beside this project's packages.
    """

    title: str
    world: str
    module: str | None = None
    installation: Installation | None = None


OUR_PYTHON = Path(sys.executable)
ROWS: Mapping[str, Row] = {
    "ours": Row("ours", "ours"),
    "sb3_stock": Row("stable-baselines3, stock MiniHack", "stock", "sb3_training"),
    "sb3_ours": Row("stable-baselines3, our environment", "ours", "sb3_training"),
    "sample_factory_ours": Row(
        "Sample Factory, our environment", "ours", "sample_factory_training", SAMPLE_FACTORY
    ),
    "sample_factory_stock": Row(
        "Sample Factory, stock MiniHack", "stock", "sample_factory_training", SAMPLE_FACTORY
    ),
    "puffer_ours": Row("PufferLib, our environment", "ours", "puffer_training", PUFFERLIB),
    "puffer_stock": Row("PufferLib, stock MiniHack", "stock", "puffer_training", PUFFERLIB),
}  # fmt: skip


def train(row: Row, python: Path, steps: int, success: float, seed: int, limit: int) -> dict[str, Any]:
    """One training in a process of its own: steps, seconds, and `reached` (steps and seconds).

    Args:
        row: who trains.
        python: whose packages include the peer.
        steps: at most.
        success: the rate over the last 100 episodes to stop at.
        seed: of the training.
        limit: seconds that the process may take, its start included.

    Raises:
        Unfinished: it failed, or was not done in time.
    """
    with tempfile.TemporaryDirectory() as folder:
        if row.module is None:
            command = our_command(Path(folder) / "run", steps, success, seed)
            run([str(python), "-m", *command], Path(folder), limit)
            return our_result(Path(folder) / "run" / "summary.json")
        order = Order(row.world, folder, steps, success, seed)
        module = f"scripts.benchmarks.peers.{row.module}"
        return last_json(run([str(python), "-m", module, *order.command_line()], Path(folder), limit))


def our_command(run_dir: Path, steps: int, success: float, seed: int) -> list[str]:
    """The ordinary command, without what follows a training."""
    return [
        "scripts.train",
        "env=minihack/key_room",
        "shaping=events",
        "agent=ppo",
        f"stop_at_success={success}",
        f"total_timesteps={steps}",
        f"seed={seed}",
        f"run_dir={run_dir}",
        "evaluate_episodes=0",
    ]


def our_result(summary: Path) -> dict[str, Any]:
    """What `train` gives, out of a run's summary.json."""
    said = read_json(summary)
    return {"steps": said["steps"], "seconds": said["seconds"], "reached": said["reached"]}


def run(command: Sequence[str], folder: Path, limit: int) -> str:
    """What a command says on standard output; it finds our modules, and writes to the folder.

    It is ended with all the processes that it has started.

    Raises:
        Unfinished: it failed, or was not done in time.
    """
    environment = {**without_compiler_of_gpus(os.environ), "PYTHONPATH": str(ROOT)}
    with tempfile.TemporaryFile("w+", errors="replace") as out, tempfile.TemporaryFile("w+", errors="replace") as err:
        process = subprocess.Popen(
            command, cwd=folder, env=environment, stdout=out, stderr=err, stdin=subprocess.DEVNULL,
            start_new_session=True,
        )  # fmt: skip
        try:
            status = process.wait(timeout=limit)
        except subprocess.TimeoutExpired:
            raise Unfinished(f"not done in {limit} seconds") from None
        finally:
            end_group(process)
        out.seek(0)
        err.seek(0)
        said = out.read()
        if status:
            raise Unfinished(reason(err.read() or said))
    return said


def end_group(process: subprocess.Popen[bytes]) -> None:
    """End a process and those of its session that are left."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def last_json(said: str) -> dict[str, Any]:
    """The JSON object in the last line of an output.

    Raises:
        Unfinished: there is none.

    >>> last_json('starting\\n{"steps": 3}\\n')
    {'steps': 3}
    """
    line = (said.strip().splitlines() or [""])[-1]
    try:
        result = json.loads(line)
    except ValueError:
        result = None
    if not isinstance(result, dict):
        raise Unfinished(f"its last line is no result: {line[:200]}")
    return result
