"""Software-engineering tasks: what was learned over a table, played with real execution."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np

from envs.swe.sandbox.docker import unavailable
from envs.swe.sandbox.engine import LocalEngine
from envs.swe.tools.verdicts import PROVIDERS
from scripts.experiments.claim import Measurement
from scripts.experiments.swe_accumulation import CLAIM as ACCUMULATION
from scripts.experiments.swe_accumulation import RATES
from scripts.results.comparison import Row
from scripts.results.figures import COLOURS, figure
from scripts.running.run_directory import Run, load_run

ARM = "outcome"
EPISODES = 100


def measure(seeds: Sequence[int], picture: Path) -> list[Row]:
    """The twin's rows: every seed's policy in every sandbox, on the same episodes."""
    with engine():
        rows = [row for seed in seeds for row in played(trained(seed), seed)]
    draw(rows, picture)
    return sorted(rows, key=lambda row: (PROVIDERS.index(row.arm), row.seed))


def trained(seed: int) -> Run:
    """The run of the arm `ARM` of swe-accumulation, made if it is not there."""
    from scripts.experiments.reproduction import RUNS

    folder = RUNS / "swe-accumulation" / f"{ARM}-{seed}"
    if not (folder / "evaluation.json").is_file():
        steps = f"total_timesteps={ACCUMULATION.total_timesteps}"
        overrides = (*ACCUMULATION.arms[ARM], f"seed={seed}", steps, "tracking=none", f"run_dir={folder}")
        subprocess.run([sys.executable, "-m", "scripts.train", *overrides], check=True, stdout=subprocess.DEVNULL)
    return load_run(folder)


def played(run: Run, seed: int) -> Iterator[Row]:
    """A row for each provider."""
    for provider in PROVIDERS:
        arguments = {**run.config.env.kwargs, "sandbox": provider}
        place = replace(run, config=replace(run.config, env=replace(run.config.env, kwargs=arguments)))
        records = run.agent.evaluate(run.load_agent(), place, EPISODES, n_envs=8, seed=0, deterministic=True)
        told = [record.statistics for record in records if record.statistics is not None]
        print(f"seed {seed}, {provider}: {len(told)} episodes", flush=True)
        metrics = {name: float(np.mean([statistics[name] for statistics in told])) for name in RATES}
        yield Row(provider, seed, {"env.kwargs.sandbox": provider}, metrics)


@contextmanager
def engine() -> Iterator[None]:
    """A Docker Engine is there: the one of DOCKER_HOST, or one of our own for as long as this."""
    if not unavailable():
        yield
        return
    with LocalEngine() as own:
        before = os.environ.get("DOCKER_HOST")
        os.environ["DOCKER_HOST"] = own.host
        try:
            yield
        finally:
            if before is None:
                del os.environ["DOCKER_HOST"]
            else:
                os.environ["DOCKER_HOST"] = before


def draw(rows: Sequence[Row], path: Path) -> None:
    """Rates of every provider, a dot a seed."""
    with figure(path, 1, 1, 6.0, 3.2) as (_, (axes,)):
        for place, provider in enumerate(PROVIDERS):
            for shift, (rate, colour) in enumerate(zip(RATES, COLOURS, strict=False)):
                values = [float(row.metrics[rate] or 0.0) for row in rows if row.arm == provider]
                label = rate.replace("_", " ") if place == 0 else None
                axes.plot([place + 0.2 * (shift - 1)] * len(values), values, "o", color=colour, label=label)
        axes.set_xticks(range(len(PROVIDERS)), PROVIDERS)
        axes.set_ylim(-0.02, 1.02)
        axes.set_ylabel("share of episodes")
        axes.legend()


CLAIM = Measurement(
    title="Software engineering: learned over a table, played with real execution",
    text=(
        "The policies of `outcome` in swe-accumulation, with the likeliest action, on the same 100 episodes of tasks "
        "whose functions no training saw: what trees come to is looked up (`table`), or found out when the agent runs "
        "tests and submits, in bubblewrap and in Docker containers."
    ),
    measure=measure,
    picture="completion, modification and resolve rate; a dot is a seed",
)
