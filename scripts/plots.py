"""Pictures of one run: learning curve, parts of the reward, losses, and what its terms keep.

python -m scripts.plots RUN... [trust=false]

trust=true draws into a run in which a link leads out of its folder: see docs/trust.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from scripts.configuration.arguments import parse
from scripts.configuration.arguments import run as run_command
from scripts.results.run_pictures import plot_run


@dataclass(frozen=True)
class Arguments:
    """The command line's arguments."""

    trust: bool = False


def main(command_line: Sequence[str]) -> None:
    """The command line."""
    places, arguments = parse(command_line, Arguments, __doc__)
    if not places:
        raise ValueError("expected a run directory: python -m scripts.plots RUN...")
    for place in places:
        for path in plot_run(place, trust=arguments.trust):
            print(path)


if __name__ == "__main__":
    run_command(main)
