"""Runs what is missing of a claim, and writes its table, its twin and its picture into the docs."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from foundation.checks import whole
from foundation.demonstrations import Demonstrations
from foundation.files import read_json, replace_text
from foundation.naming import unknown
from scripts.demonstrations.recording import record_as_told
from scripts.experiments import claim as stated
from scripts.experiments.claim import Claim, Comparison, Measurement, claims
from scripts.results.comparison import Row, by_arm, row_of_run, twin
from scripts.results.comparison_pictures import draw_curves
from scripts.results.curves import STEPS, read_progress
from scripts.results.evaluation import evaluate_run
from scripts.results.intervals import interval
from scripts.results.tables import table

RUNS = Path("runs/reproduce")
EVALUATION_EPISODES = 100
"""Of a run whose arm says nothing of them (`evaluate_episodes=`)."""
RESULTS_HEADER = """# Results

Every table here was written by the command above it, with interquartile means over seeds and 95 % bootstrap intervals.
Its twin in `results/` holds every seed's numbers and learning curve; `python -m scripts.compare docs/results/NAME.json`
prints the table from it, with every column.
"""


@dataclass(frozen=True)
class Job:
    """One run of a claim."""

    arm: str
    seed: int
    run_dir: Path
    overrides: tuple[str, ...]

    def command(self) -> list[str] | None:
        """What to start: a new run, or the rest of an interrupted one; None when it is finished.

        Raises:
            ValueError: a run with another number of steps lies there.
        """
        if not (self.run_dir / "config.yaml").is_file():
            return [*_TRAIN, *self.overrides, f"run_dir={self.run_dir}"]
        wanted = _setting(self.overrides, "total_timesteps")
        steps = yaml.safe_load((self.run_dir / "config.yaml").read_text()).get("total_timesteps")
        if str(steps) != wanted:
            raise ValueError(
                f"{self.run_dir} holds a run of {steps} steps, and this experiment wants {wanted}: remove or rename it"
            )
        if _status(self.run_dir) == "finished":
            return None
        if not any((self.run_dir / "checkpoints").glob("step_*")):
            shutil.rmtree(self.run_dir)  # stopped before its first checkpoint: nothing in it can go on
            return [*_TRAIN, *self.overrides, f"run_dir={self.run_dir}"]
        return [*_TRAIN, f"resume={self.run_dir}"]


_TRAIN = (sys.executable, "-m", "scripts.train")


def reproduce(
    name: str,
    seeds: Sequence[int] = (),
    jobs: int = 1,
    total_timesteps: int | None = None,
    out: str | Path = "docs",
) -> list[Row]:
    """Run what is missing of an experiment, evaluate every run, and write its part of the docs.

    Args:
        name: of a claim.
        seeds: of training; the experiment's own where none are given.
        jobs: runs side by side. More than one shares the cores, which `steps_per_second` then
            shows.
        total_timesteps: steps of every run; the experiment's own where None.
        out: the folder of results.md.

    Returns:
        The rows of the twin.

    Raises:
        ValueError: an unknown name, or an impossible number.
        RuntimeError: runs failed; the message names them and their logs. Nothing is written then.
    """
    claim = _claim(name)
    whole("jobs", jobs)
    if total_timesteps is not None:
        whole("total_timesteps", total_timesteps)
    chosen = tuple(dict.fromkeys(seeds)) or claim.seeds
    if isinstance(claim, Measurement):
        if jobs > 1 or total_timesteps is not None:
            raise ValueError(f"{name} trains nothing: it takes no jobs= and no total_timesteps=")
        rows = claim.measure(chosen, _picture(name, Path(out)))
        write_results(name, claim, _command(name, claim, chosen), rows, Path(out))
        return rows
    steps = total_timesteps or claim.total_timesteps
    folder = RUNS / (name if steps == claim.total_timesteps else f"{name}-{steps}")
    planned = plan(claim, chosen, steps, folder)
    imitators = [job for job in planned if stated.DEMONSTRATIONS in " ".join(claim.arms[job.arm])]
    _run_all([job for job in planned if job not in imitators], jobs)
    rows = []
    if claim.demonstrations:
        rows = [_expert(seed, _record(claim.demonstrations, seed, folder)) for seed in chosen]
        _run_all(imitators, jobs)
    arms = list(claim.arms)
    for job in sorted(planned, key=lambda job: (arms.index(job.arm), job.seed)):
        row = _row(job, claim.arms[job.arm])
        rows.append(_with(row, *_told(claim, job.run_dir)))
    if claim.goals:
        goals = [row.metrics.get("eval_success_rate") for row in rows]
        rows = [replace(row, metrics={**row.metrics, "goal_rate": rate}) for row, rate in zip(rows, goals, strict=True)]
    if claim.together is not None:
        rows = _measured_together(claim.together, planned, rows)
    if claim.draw is not None:
        claim.draw(rows, _picture(name, Path(out)))
    else:
        draw_curves(rows, _picture(name, Path(out)), claim.metric)
    write_results(name, claim, _command(name, claim, chosen, steps), rows, Path(out))
    return rows


def _measured_together(
    together: Callable[[Mapping[str, Path]], Mapping[str, Mapping[str, float | None]]],
    jobs: Sequence[Job],
    rows: Sequence[Row],
) -> list[Row]:
    measured: dict[int, Mapping[str, Mapping[str, float | None]]] = {}
    for seed in dict.fromkeys(job.seed for job in jobs):
        print(f"measuring the runs of seed {seed} together", flush=True)
        measured[seed] = together({job.arm: job.run_dir for job in jobs if job.seed == seed})
    return [row if row.arm == stated.EXPERT else _with(row, measured[row.seed][row.arm]) for row in rows]


def _with(row: Row, metrics: Mapping[str, float | None], curves: Mapping[str, Any] | None = None) -> Row:
    """The row with further metrics and curves."""
    return replace(row, metrics={**row.metrics, **metrics}, curves={**row.curves, **(curves or {})})


def plan(claim: Comparison, seeds: Sequence[int], steps: int, folder: Path) -> list[Job]:
    """The experiment's runs, seed by seed: what else the machine does meets all arms alike."""
    return [
        Job(
            arm,
            seed,
            folder / f"{arm}-{seed}",
            (*_filled(overrides, seed, folder), f"seed={seed}", f"total_timesteps={steps}", "tracking=none"),
        )
        for seed in seeds
        for arm, overrides in claim.arms.items()
    ]


def _filled(words: Sequence[str], seed: int, folder: Path) -> list[str]:
    """`words` with what differs from seed to seed."""
    values = {stated.DEMONSTRATIONS: _demonstrations(seed, folder), stated.SEED: seed, stated.RUNS: folder}
    for name, value in values.items():
        words = [word.replace(name, str(value)) for word in words]
    return list(words)


def _demonstrations(seed: int, folder: Path) -> Path:
    return folder / f"demonstrations-{seed}.npz"


def _record(words: Sequence[str], seed: int, folder: Path) -> Demonstrations:
    """A seed's demonstrations, recorded where they are missing."""
    path = _demonstrations(seed, folder)
    if not path.is_file():
        print(f"recording demonstrations of seed {seed}", flush=True)
        print(record_as_told([*_filled(words, seed, folder), f"out={path}"]), flush=True)
    return Demonstrations.load(path)


def _expert(seed: int, demonstrations: Demonstrations) -> Row:
    """What the expert did, as a row."""
    returns, header = demonstrations.returns, demonstrations.header
    mean = round(float(returns.mean()), 4)
    config = {"env_id": header.env_id, "episodes": len(returns)}
    metrics = {"task_return_mean": mean, "eval_return_mean": mean, "demonstrated_steps": float(len(demonstrations))}
    return Row(stated.EXPERT, seed, config, metrics)


def _told(claim: Comparison, run_dir: Path) -> tuple[dict[str, float | None], dict[str, Any]]:
    """Metrics of the last row of progress.csv that has them; the curve of the one that is drawn."""
    columns = read_progress(run_dir) if claim.told else {}
    metrics: dict[str, float | None] = {}
    curves: dict[str, Any] = {}
    for metric, names in claim.told.items():
        values = next((columns[name] for name in names if name in columns), None)
        known = np.array([]) if values is None else values[np.isfinite(values)]
        metrics[metric] = round(float(known[-1]), 4) if len(known) else None
        if metric == claim.metric and values is not None:
            curves[metric] = (columns[STEPS], values)
    return metrics, curves


def write_results(name: str, claim: Claim, command: str, rows: Sequence[Row], out: Path) -> None:
    """Write the twin and the section of results.md, whose other sections stay as they are."""
    replace_text(out / "results" / f"{name}.json", twin(command, rows))
    results = out / "results.md"
    text = results.read_text() if results.exists() else RESULTS_HEADER
    replace_text(results, with_section(text, name, section(name, claim, command, rows)))


def section(name: str, claim: Claim, command: str, rows: Sequence[Row]) -> str:
    """An experiment's part of results.md."""
    parts = [f"## {claim.title}", claim.text]
    if isinstance(claim, Comparison):
        parts.append("\n".join(f"- `{arm}`: `{' '.join(settings)}`" for arm, settings in claim.arms.items()))
    if isinstance(claim, Comparison) and claim.demonstrations:
        recorded = " ".join(claim.demonstrations)
        parts.append(
            f"Each seed's demonstrations: `python -m scripts.record_demonstrations {recorded}`. `expert` is what the "
            "expert did in them."
        )
    parts += [f"```\n{command}\n```", table(rows, claim.columns)]
    if isinstance(claim, Comparison) and claim.equal:
        parts.append(_agreement(rows, claim.metric))
    parts.append(f"![{claim.title}: {claim.picture}](results/{name}.png)")
    return "\n\n".join(parts)


def _picture(name: str, out: Path) -> Path:
    return out / "results" / f"{name}.png"


def with_section(text: str, name: str, content: str) -> str:
    """`text` with `content` between the markers of the section `name`.

    The section comes at the end where there are no such markers yet.

    Raises:
        ValueError: one of the two markers is missing, or they stand the wrong way round.

    >>> with_section("# Results", "speed", "Fast.")
    '# Results\\n\\n<!-- speed -->\\nFast.\\n<!-- /speed -->\\n'
    """
    start, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    block = f"{start}\n{content}\n{end}"
    if start not in text and end not in text:
        return f"{text.rstrip()}\n\n{block}\n"
    before, opened, rest = text.partition(start)
    _, closed, after = rest.partition(end)
    if not opened or not closed:
        raise ValueError(f"results.md must hold both {start} and {end}, in this order; put the missing one back")
    return f"{before}{block}{after}"


def _run_all(jobs: Sequence[Job], side_by_side: int) -> None:
    """Every job's training, with its share of the cores.

    Ctrl-C is passed on once to each; they checkpoint and are waited for.

    Raises:
        RuntimeError: some failed; the others were still run.
        KeyboardInterrupt: after all have stopped.
    """
    commands = {job: command for job in jobs if (command := job.command()) is not None}
    print(f"{len(jobs)} runs: {len(jobs) - len(commands)} finished, {len(commands)} to go", flush=True)
    # Threads of runs that share a core spin while they wait: small networks learn 20 times slower.
    environment = {"OMP_NUM_THREADS": str(max(1, (os.cpu_count() or 1) // side_by_side)), **os.environ}
    running: set[subprocess.Popen[bytes]] = set()
    guard, stopping = threading.Lock(), threading.Event()
    failures: list[str] = []

    def train(job: Job) -> tuple[int, float]:
        log = job.run_dir.with_name(f"{job.run_dir.name}.log")
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as output:
            with guard:
                if stopping.is_set():
                    return -signal.SIGINT, 0.0
                started = time.monotonic()
                # In a session of its own, the terminal's Ctrl-C does not reach it a second time.
                process = subprocess.Popen(
                    commands[job],
                    env=environment,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    start_new_session=True,
                )
                running.add(process)
            status = process.wait()
            with guard:
                running.discard(process)
        return status, time.monotonic() - started

    with ThreadPoolExecutor(side_by_side) as pool:
        futures = {pool.submit(train, job): job for job in commands}
        try:
            for done, future in enumerate(as_completed(futures), 1):
                job, (status, seconds) = futures[future], future.result()
                if status != 0 or _status(job.run_dir) != "finished":
                    failures.append(f"{job.arm} with seed {job.seed} (exit status {status}): see {job.run_dir}.log")
                words = "failed" if failures and failures[-1].endswith(f"{job.run_dir}.log") else "finished"
                print(f"[{done}/{len(commands)}] {job.arm} seed {job.seed} {words} in {seconds:.0f} s", flush=True)
        except KeyboardInterrupt:
            print("stopping: the runs write their checkpoints; the same command goes on from there", file=sys.stderr)
            with guard:
                stopping.set()
                for process in running:
                    process.send_signal(signal.SIGINT)
            raise
    if failures:
        raise RuntimeError(f"{len(failures)} of {len(jobs)} runs failed:\n  " + "\n  ".join(failures))


def _row(job: Job, arm: Sequence[str]) -> Row:
    """A finished job as a row, evaluated if it was not yet; `arm` as the claim states it."""
    done = job.run_dir / "evaluation.json"
    evaluation = read_json(done) if done.is_file() else {}
    episodes = int(_setting(job.overrides, "evaluate_episodes", str(EVALUATION_EPISODES)))
    if evaluation.get("episodes", 0) < episodes or done.stat().st_mtime < _finished_at(job.run_dir):
        print(f"evaluating {job.arm} seed {job.seed}", flush=True)
        evaluate_run(job.run_dir, episodes=episodes, gif=False)
    steps = int(_setting(job.overrides, "total_timesteps"))
    settings: dict[str, Any] = {
        key: yaml.safe_load(value) for key, _, value in (override.partition("=") for override in arm)
    }
    return row_of_run(job.run_dir, job.arm, settings | {"total_timesteps": steps})


def _agreement(rows: Sequence[Row], metric: str) -> str:
    """Whether the interquartile mean of either arm lies inside the other's interval."""
    arms = {
        arm: interval([float(row.metrics[metric] or 0.0) for row in arm_rows]) for arm, arm_rows in by_arm(rows).items()
    }
    (first, a), (second, b) = arms.items()
    inside = a.low <= b.value <= a.high, b.low <= a.value <= b.high
    if all(inside):
        return f"Each arm's interquartile mean of `{metric}` lies inside the other's interval."
    outside = [
        f"`{y}` outside `{x}`'s"
        for (x, y), ok in zip(((first, second), (second, first)), inside, strict=True)
        if not ok
    ]
    return f"The arms differ: of the interquartile means of `{metric}`, {' and '.join(outside)} interval."


def _command(name: str, claim: Claim, seeds: Sequence[int], steps: int | None = None) -> str:
    """The command that makes the same table again."""
    words = [f"python -m scripts.reproduce {name}"]
    if tuple(seeds) != claim.seeds:
        words.append(f"seeds={','.join(map(str, seeds))}")
    if isinstance(claim, Comparison) and steps != claim.total_timesteps:
        words.append(f"total_timesteps={steps}")
    return " ".join(words)


def _claim(name: str) -> Comparison | Measurement:
    known = claims()
    if name not in known:
        raise unknown("experiment", name, known)
    return known[name]


def _setting(overrides: Sequence[str], key: str, otherwise: str = "") -> str:
    given = (override.partition("=")[2] for override in overrides if override.startswith(f"{key}="))
    return next(given, otherwise)


def _status(run_dir: Path) -> str | None:
    summary = run_dir / "summary.json"
    return read_json(summary).get("status") if summary.is_file() else None


def _finished_at(run_dir: Path) -> float:
    return (run_dir / "summary.json").stat().st_mtime
