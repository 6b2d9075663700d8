"""Read back what scripts.send hid in the play of a run.

python -m scripts.receive TRAJECTORY run=RUN [out=FILE] [temperature=NUMBER] [block=N] [levels=N]
    [coupling=NAME] [noise=NUMBER] [rate=NUMBER] [encoder=NAME] [trust=false]

RUN is the sender's run or a copy of it: with other weights nothing can be read, and that is said.
Settings that are not given are the trajectory's own; those that are given must be the sender's.
The message goes to the terminal, or byte for byte into out=.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from foundation.files import folder_for, whole_file
from scripts.coding.telling import Settings, receive
from scripts.configuration.arguments import parse
from scripts.configuration.arguments import run as run_command
from scripts.running.run_directory import load_run


@dataclass(frozen=True)
class Arguments:
    """The command line's arguments."""

    run: str = ""
    out: str = ""
    temperature: float | None = None
    block: int | None = None
    levels: int | None = None
    coupling: str | None = None
    noise: float | None = None
    rate: float | None = None
    encoder: str | None = None
    trust: bool = False


def main(command_line: Sequence[str]) -> None:
    """The command line."""
    paths, arguments = parse(command_line, Arguments, __doc__)
    if len(paths) != 1 or not arguments.run:
        raise ValueError("expected a trajectory and a run: python -m scripts.receive TRAJECTORY run=RUN")
    if arguments.out:
        folder_for(Path(arguments.out).parent, (Path(arguments.out).name,))
    given = {name: getattr(arguments, name) for name in Settings.__dataclass_fields__}
    content, found = receive(
        Path(paths[0]),
        load_run(arguments.run, trust=arguments.trust),
        {name: value for name, value in given.items() if value is not None},
    )
    print(
        f"{len(content)} bytes from {found['episodes']} episodes, {found['steps']} steps; {found['bits_left']:.2g} "
        "bits of doubt",
        file=sys.stderr,
    )
    if arguments.out:
        with whole_file(Path(arguments.out)) as part:
            part.write_bytes(content)
    else:
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.write(b"\n")
        sys.stdout.flush()


if __name__ == "__main__":
    run_command(main)
