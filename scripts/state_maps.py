"""Maps of what a run's agent thinks of states, and how it came to it.

python -m scripts.state_maps RUN [x=0] [y=1] [at=0.5,0.5] [extent=0,1,0,1] [out=RUN/plots]
    [trust=false]

Writes OUT/state_maps.png: every number that the agent gives a state (agent=barfi: the factors of
its blend, "own", "task" and every signal's) over the observation's numbers x and y, the others at
the middle of their bounds or at `at`; and OUT/course.png: discount, norms and entropy over
training, and the share of the reward that each part was. trust=true: see docs/trust.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from foundation.files import folder_for
from scripts.configuration.arguments import parse
from scripts.configuration.arguments import run as run_command
from scripts.results.state_maps import draw_course, draw_maps, maps_of_run
from scripts.running.run_directory import load_run


@dataclass(frozen=True)
class Arguments:
    """The command line's arguments."""

    x: int = 0
    y: int = 1
    at: tuple[float, ...] = ()
    extent: tuple[float, ...] = ()
    out: str | None = None
    trust: bool = False


def main(command_line: Sequence[str]) -> None:
    """The command line."""
    places, arguments = parse(command_line, Arguments, __doc__)
    if len(places) != 1:
        raise ValueError("expected one run directory: python -m scripts.state_maps RUN")
    run = load_run(Path(places[0]), trust=arguments.trust)
    maps, corners = maps_of_run(run, arguments.x, arguments.y, arguments.at, arguments.extent)
    out = folder_for(run.path / "plots" if arguments.out is None else arguments.out, ("state_maps.png", "course.png"))
    labels = (f"observation {arguments.x}", f"observation {arguments.y}")
    draw_maps(maps, corners, labels, out / "state_maps.png")
    print(out / "state_maps.png")
    if draw_course(run.path, out / "course.png") is not None:
        print(out / "course.png")


if __name__ == "__main__":
    run_command(main)
