"""A Python with a peer in it, made for one benchmark and thrown away after it.

What this project has installed serves the peer too, through a .pth file. So only the peer's own
packages are installed, pinned, and without what they depend on: their pins on numpy and gymnasium
are older than ours. What that breaks is mended line by line, in this copy alone.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import venv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[3]
PATIENCE = 1200
"""Seconds that an installation may take; PufferLib is compiled."""


class NotInstalled(RuntimeError):
    """A peer does not install here; the reason in one line."""


@dataclass(frozen=True)
class Mend:
    """One line of an installed file, and what stands there instead."""

    file: str
    line: str
    instead: str

    def apply(self, packages: Path) -> None:
        """Change the file under `packages`.

        Raises:
            NotInstalled: the line is not there, or not once.
        """
        path = packages / self.file
        text = path.read_text() if path.is_file() else ""
        if text.count(f"\n{self.line}\n") != 1:
            raise NotInstalled(f"{self.file} does not have the line to mend once: {self.line.strip()}")
        path.write_text(text.replace(f"\n{self.line}\n", f"\n{self.instead}\n"))


@dataclass(frozen=True)
class Installation:
    """What it takes to install a peer.

    Attributes:
        packages: pinned, the peer's own first.
        settings: environment variables of the build.
        startup: a line that Python runs when it starts, the build's own Python too.
        mends: lines to change afterwards.
    """

    packages: tuple[str, ...]
    settings: Mapping[str, str] = field(default_factory=dict)
    startup: str = ""
    mends: tuple[Mend, ...] = ()


SAMPLE_FACTORY = Installation(
    packages=(
        "sample-factory==2.1.1",
        "faster-fifo==1.5.2",
        "signal-slot-mp==1.0.3",
        "huggingface-hub==0.36.2",
        "tensorboardx==2.6.4",
        "psutil==7.0.0",
        "threadpoolctl==3.6.0",
        "colorlog==6.9.0",
        "opencv-python-headless==4.12.0.88",
    ),
    mends=(
        Mend(  # numpy 2.4 puts no array of one element into a single place
            "sample_factory/algo/utils/tensor_dict.py",
            "                x[index] = n",
            "                x[index] = n if np.ndim(x[index]) else n.item()",
        ),
    ),
)
PUFFERLIB = Installation(
    packages=(
        "pufferlib==3.0.0",
        "gym==0.23.0",
        "gym-notices==0.0.8",
        "psutil==7.0.0",
        "pynvml==11.5.3",
        "rich-argparse==1.7.1",
        "pyro-ppl==1.9.1",
        "pyro-api==0.1.2",
        "opt-einsum==3.4.0",
    ),
    settings={"NO_OCEAN": "1"},  # without its own games, which fetch a graphics library
    startup="import builtins; builtins.c_extension_paths = []",  # then its setup.py names this without defining it
)


@contextlib.contextmanager
def throw_away_python(installation: Installation) -> Iterator[Path]:
    """A Python that has a peer, as long as the block lasts.

    Raises:
        NotInstalled: with the last line of the reason.
    """
    with tempfile.TemporaryDirectory() as folder:
        yield install(installation, Path(folder))


def install(installation: Installation, folder: Path) -> Path:
    """Make the environment in an empty folder; its Python.

    Raises:
        NotInstalled: with the last line of the reason.
    """
    venv.create(folder)
    python = folder / "bin" / "python"
    packages = folder / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}" / "site-packages"
    (packages / "ours.pth").write_text(f"{sysconfig.get_paths()['purelib']}\n{installation.startup}\n")
    options = ["--quiet", "--disable-pip-version-check", "--no-deps", "--no-build-isolation", "--ignore-installed"]
    try:
        done = subprocess.run(
            [python, "-m", "pip", "install", *options, *installation.packages],
            env={**without_compiler_of_gpus(os.environ), **installation.settings},
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )
    except subprocess.TimeoutExpired:
        raise NotInstalled(f"pip was not done after {PATIENCE} seconds") from None
    if done.returncode:
        raise NotInstalled(reason(done.stderr or done.stdout))
    for mend in installation.mends:
        mend.apply(packages)
    return python


def without_compiler_of_gpus(environment: Mapping[str, str]) -> dict[str, str]:
    """The same variables without the folders of PATH that have an nvcc.

    PufferLib takes any nvcc for a whole CUDA, when it is built and when it runs.
    """
    folders = environment.get("PATH", os.defpath).split(os.pathsep)
    kept = [folder for folder in folders if not shutil.which("nvcc", path=folder)]
    return {**environment, "PATH": os.pathsep.join(kept)}


def reason(said: str) -> str:
    """The last line that says why something failed; of pip's, not its hints.

    >>> reason("building\\nerror: no compiler\\n\\nnote: not an issue with pip.\\nhint: see above.")
    'error: no compiler'
    """
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    telling = [line for line in lines if not line.startswith(("note:", "hint:", "╰─>", "[notice]", "[end of output]"))]
    return (telling or lines or ["it ended without a word"])[-1][:200]
