"""A claim of the docs, as something that anyone can run again.

Each stands in a file of its own beside this one, and is found there.
A file calm_keyroom.py here with `CLAIM = Comparison(...)` or `CLAIM = Measurement(...)` is the
claim calm-keyroom.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from foundation.registry import import_all
from scripts.results.comparison import Row

DEMONSTRATIONS, SEED, RUNS = "<demonstrations>", "<seed>", "<runs>"
EXPERT = "expert"


@dataclass(frozen=True, kw_only=True)
class Claim:
    """What every claim has.

    Args:
        title: of its section.
        text: what is compared and how, in Markdown; never what came out.
        seeds: of what is run.
        picture: what its picture shows.
        columns: the metrics that its table shows; () for all of its twin.
    """

    title: str
    text: str
    seeds: tuple[int, ...] = (100, 101, 102, 103, 104)
    picture: str
    columns: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Comparison(Claim):
    """Agents that learn in different ways, as runs; the seeds are those of training.

    Args:
        arms: name -> overrides for scripts.train.
        total_timesteps: environment steps of every run.
        metric: what the picture shows.
        demonstrations: what scripts.record_demonstrations is told, but for out=, to record what a
            seed's runs learn from: `DEMONSTRATIONS` in an arm is the file, `SEED` in either the
            seed, `RUNS` the folder of runs ARM-SEED. Arms that need none are run before, so that
            one of them may be the expert. What the expert did is the arm "expert" of the twin.
        told: further metrics, from the last row of progress.csv that has them -> the columns that
            may hold one; the first that is there counts.
        equal: the two arms are claimed to learn equally well; the section says whether they did.
        goals: success is a goal; the twin then has that of the evaluation as `goal_rate`, too.
        together: the finished runs of a seed, by arm -> further metrics of each arm.
        draw, picture: the picture and what it shows, where it is not the learning curves of
            `metric`.
    """

    arms: Mapping[str, tuple[str, ...]]
    total_timesteps: int
    metric: str = "success_rate"
    demonstrations: tuple[str, ...] = ()
    told: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    equal: bool = False
    goals: bool = False
    together: Callable[[Mapping[str, Path]], Mapping[str, Mapping[str, float | None]]] | None = None
    draw: Callable[[Sequence[Row], Path], Any] | None = None
    picture: str = "learning curves"


@dataclass(frozen=True, kw_only=True)
class Measurement(Claim):
    """What needs no training of an agent; the seeds are those of what is measured.

    Args:
        measure: (seeds, path of the picture) -> the twin's rows; draws the picture.
    """

    measure: Callable[[Sequence[int], Path], list[Row]]


def claims() -> dict[str, Comparison | Measurement]:
    """Every claim by name, which is its file's with hyphens, and its twin's."""
    package = __name__.rpartition(".")[0]
    return {
        module.__name__.removeprefix(f"{package}.").replace("_", "-"): module.CLAIM
        for module in import_all(package)
        if hasattr(module, "CLAIM")
    }
