"""What sandboxes need, and what they may have left.

    python -m scripts.sandbox check
    python -m scripts.sandbox image [source=host] [tag=] [out=]
    python -m scripts.sandbox clean [everything=false]

`check` says which providers there are, and what the others lack.

`image` makes the image of Docker's sandboxes, of this machine's own Python (source=host: seconds,
no network; sandboxes do it by themselves where it is missing) or of Debian's packages by
debootstrap (source=debian: root and a minute), and gives it to the Engine of DOCKER_HOST under
`tag`; with out=FILE.tar it is written there instead.

`clean` removes containers of this program whose process on this machine is gone, and images of
Pythons that this machine no longer has; with everything=true all containers, those in use too, and
file systems that bubblewrap had unpacked (stop training first).
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from envs.swe.sandbox.docker import clean_strays, connect
from envs.swe.sandbox.image import REPOSITORY, debian, host_image, import_tar, remove_old
from envs.swe.sandbox.providers import available
from foundation.checks import one_of
from scripts.configuration.arguments import parse, run


@dataclass(frozen=True)
class Arguments:
    """The command line's arguments."""

    source: str = "host"
    tag: str = ""
    out: str = ""
    everything: bool = False


def main(command_line: Sequence[str]) -> None:
    """The command line."""
    words, arguments = parse(command_line, Arguments, __doc__)
    if len(words) != 1 or words[0] not in COMMANDS:
        raise ValueError(f"what to do? One of {', '.join(COMMANDS)}; got {' '.join(words) or 'nothing'}")
    COMMANDS[words[0]](arguments)


def check(arguments: Arguments) -> None:
    for name, reason in available().items():
        print(f"{name}: {reason or 'ready'}")


def image(arguments: Arguments) -> None:
    one_of("source", arguments.source, ("host", "debian"))
    write = host_image().write if arguments.source == "host" else debian
    if arguments.out:
        write(Path(arguments.out))
        print(arguments.out)
        return
    tag = arguments.tag or (host_image().tag if arguments.source == "host" else f"{REPOSITORY}:debian")
    client = connect()
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder) / "image.tar")
        import_tar(client, Path(folder) / "image.tar", tag)
    print(tag)


def clean(arguments: Arguments) -> None:
    client = None if available()["docker"] else connect()
    containers = clean_strays(client, arguments.everything) if client else 0
    images = remove_old(client, host_image().fingerprint, folders=arguments.everything)
    print(f"{containers} containers and {images} images removed{'' if client else '; no Docker Engine answers'}")


COMMANDS: Mapping[str, Callable[[Arguments], None]] = {"check": check, "image": image, "clean": clean}


if __name__ == "__main__":
    run(main)
