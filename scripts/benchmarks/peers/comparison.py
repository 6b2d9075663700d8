"""Everybody trains the key room in turn, seed by seed; what came of it."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from foundation.checks import number, one_of, whole
from scripts.benchmarks.peers.outcome import ratios
from scripts.benchmarks.peers.throw_away import NotInstalled, throw_away_python
from scripts.benchmarks.peers.trainings import OUR_PYTHON, ROWS, Row, Unfinished, train
from scripts.benchmarks.turns import Arguments

WARM_UP = 1024
"""Steps of a training before all others that nobody looks at: it leaves compiled kernels behind."""


@dataclass(frozen=True)
class PeerArguments(Arguments):
    """The command line of `peers`; see the text of `scripts.benchmark`.

    Attributes:
        steps: environment steps of one training at most.
        seeds: trainings of every row.
        success: the rate over the last 100 episodes to stop at.
        limit: seconds that one training may take, its start included.
        only: names of rows; all where none is given.
    """

    steps: int = 150_000
    seeds: int = 5
    success: float = 0.9
    limit: int = 1200
    only: tuple[str, ...] = ()


def peers(arguments: PeerArguments) -> dict[str, Any]:
    """{"rows": [one training each], "ratios": {...}}."""
    for name in ("seeds", "limit"):
        whole(name, getattr(arguments, name))
    number("success", arguments.success, above=0.0, most=1.0)
    names = tuple(one_of("only", name, ROWS) for name in arguments.only) or tuple(ROWS)
    with pythons(names) as found:
        rows = turns(names, found, arguments)
    return {"success": arguments.success, "rows": rows, "ratios": ratios(rows)}


@contextlib.contextmanager
def pythons(names: Sequence[str]) -> Iterator[dict[str | None, Path | str]]:
    """A row's module -> the Python that runs it, or why there is none."""
    with contextlib.ExitStack() as stack:
        found: dict[str | None, Path | str] = {}
        for row in (ROWS[name] for name in names):
            if row.module not in found:
                found[row.module] = python_of(row, stack)
        yield found


def python_of(row: Row, stack: contextlib.ExitStack) -> Path | str:
    """A Python that has what a row needs as long as `stack` is open, or why there is none."""
    if row.installation is None:
        return OUR_PYTHON
    package = row.installation.packages[0]
    _say(f"installing {package} into an environment that is thrown away ...")
    try:
        return stack.enter_context(throw_away_python(row.installation))
    except NotInstalled as error:
        _say(f"{package} does not install here: {error}")
        return f"does not install: {error}"


def turns(
    names: Sequence[str], found: Mapping[str | None, Path | str], arguments: PeerArguments
) -> list[dict[str, Any]]:
    """All rows with the first seed, then all with the next."""
    _say("a short training of ours that does not count ...")
    with contextlib.suppress(Unfinished):
        train(ROWS["ours"], OUR_PYTHON, WARM_UP, arguments.success, 0, arguments.limit)
    rows = []
    for seed in range(arguments.seeds):
        for name in names:
            _say(f"seed {seed + 1}/{arguments.seeds}  {ROWS[name].title} ...")
            rows.append(trained(name, found[ROWS[name].module], seed, arguments))
    return rows


def trained(name: str, python: Path | str, seed: int, arguments: PeerArguments) -> dict[str, Any]:
    """One training as a row of the result; `failed` says why it has no numbers."""
    row = ROWS[name]
    said: dict[str, Any] = {"row": name, "title": row.title, "seed": seed}
    nothing = dict.fromkeys(("steps", "seconds", "steps_per_second", "reached_steps", "reached_seconds", "weights"))
    if isinstance(python, str):
        return {**said, **nothing, "failed": python}
    try:
        result = train(row, python, arguments.steps, arguments.success, seed, arguments.limit)
    except Unfinished as error:
        _say(f"  {error}")
        return {**said, **nothing, "failed": str(error)}
    reached = result["reached"] or {}
    steps, seconds = reached.get("steps", result["steps"]), reached.get("seconds", result["seconds"])
    return {
        **said,
        "steps": steps,
        "seconds": seconds,
        "steps_per_second": round(steps / seconds, 1) if seconds else None,
        "reached_steps": reached.get("steps"),
        "reached_seconds": reached.get("seconds"),
        "weights": result.get("weights"),
        "failed": None,
    }


def _say(line: str) -> None:
    print(f"  {line}", file=sys.stderr, flush=True)
