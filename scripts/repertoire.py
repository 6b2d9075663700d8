"""Look at what a population keeps: elites that differ, at play.

python -m scripts.repertoire RUN [elites=9] [episodes=5] [gif=true] [seed=0] [out=RUN/repertoire]
    [trust=false]

RUN is a run of a population (agent=serene, map_elites, ...), over or not: its newest checkpoint is
shown. The elites are the best of each rewarded area, then whoever ended farthest from all those.
Each plays the episode of its evaluation again, and where episodes differ `episodes` others of
evaluation's split: what it was paid when it was kept, less what it is paid then, is the illusory
part of its reward. An index of the table is what agent.elite takes.

Writes OUT/repertoire.json, OUT/elites.png (paths over the map) and OUT/elites.gif (all at play,
side by side, each under its index and reward). trust=true: see docs/trust.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from scripts.configuration.arguments import parse
from scripts.configuration.arguments import run as run_command
from scripts.results.repertoire import FOLDER, describe, show_repertoire
from scripts.running.run_directory import load_run


@dataclass(frozen=True)
class Arguments:
    """The command line's arguments."""

    elites: int = 9
    episodes: int | None = None
    gif: bool = True
    seed: int = 0
    out: str | None = None
    trust: bool = False


def main(command_line: Sequence[str]) -> None:
    """The command line."""
    places, arguments = parse(command_line, Arguments, __doc__)
    if len(places) != 1:
        raise ValueError(
            f"expected one run directory, got {' '.join(places) or 'none'}: python -m scripts.repertoire RUN"
        )
    run = load_run(places[0], trust=arguments.trust)
    given = {name: value for name, value in vars(arguments).items() if name != "trust"}
    print(describe(show_repertoire(run, **given)))
    print(run.path / FOLDER if arguments.out is None else arguments.out)


if __name__ == "__main__":
    run_command(main)
