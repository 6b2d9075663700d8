"""Run a named experiment and write its table, its twin and its picture into the docs.

python -m scripts.reproduce NAME [seeds=100,101,...] [jobs=1] [total_timesteps=N] [out=docs]
python -m scripts.reproduce                       # lists the names

Runs lie in runs/reproduce/NAME/ARM-SEED. Finished ones are not run again and interrupted ones go
on, so the command can be stopped and given again. jobs= and total_timesteps= are for experiments
that train. Writes OUT/results/NAME.json, OUT/results/NAME.png and the section NAME of
OUT/results.md.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass

from scripts.configuration.arguments import parse
from scripts.configuration.arguments import run as run_command
from scripts.experiments.claim import Comparison, claims
from scripts.experiments.reproduction import reproduce
from scripts.results.tables import table


@dataclass(frozen=True)
class Arguments:
    """The command line's arguments."""

    seeds: tuple[int, ...] = ()
    jobs: int = 1
    total_timesteps: int | None = None
    out: str = "docs"


def main(command_line: Sequence[str]) -> int:
    """The command line; returns the exit status."""
    names, arguments = parse(command_line, Arguments, __doc__)
    if not names:
        for name, claim in claims().items():
            runs = len(claim.arms) * len(claim.seeds) if isinstance(claim, Comparison) else 0
            print(f"{name:18} {claim.title} ({f'{runs} runs' if runs else 'no training'})")
        return 0
    if len(names) > 1:
        raise ValueError(f"expected one experiment, got {' '.join(names)}")
    try:
        rows = reproduce(names[0], arguments.seeds, arguments.jobs, arguments.total_timesteps, arguments.out)
    except RuntimeError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(table(rows))
    return 0


if __name__ == "__main__":
    run_command(main)
