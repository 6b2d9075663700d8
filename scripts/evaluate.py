"""How good the agent of a run is at its task, in episodes that it never trained on.

python -m scripts.evaluate RUN [episodes=100] [n_envs=8] [deterministic=false] [gif=true] [seed=0]
    [out=DIR] [trust=false]

RUN is a run directory; its newest checkpoint plays. The reward is the task's alone, whatever the
agent learned from. Writes OUT/evaluation.json and OUT/videos/episode.gif (OUT is RUN unless said).
trust=true lets somebody else's run execute the code that it names: see docs/trust.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from scripts.configuration.arguments import parse
from scripts.configuration.arguments import run as run_command
from scripts.results.evaluation import describe, evaluate_run


@dataclass(frozen=True)
class Arguments:
    """The command line's arguments."""

    episodes: int = 100
    n_envs: int = 8
    deterministic: bool = False
    gif: bool = True
    seed: int = 0
    out: str | None = None
    trust: bool = False


def main(command_line: Sequence[str]) -> None:
    """The command line."""
    places, arguments = parse(command_line, Arguments, __doc__)
    if len(places) != 1:
        raise ValueError(
            f"expected one run directory, got {' '.join(places) or 'none'}: python -m scripts.evaluate RUN"
        )
    print(describe(evaluate_run(places[0], **asdict(arguments))))


if __name__ == "__main__":
    run_command(main)
