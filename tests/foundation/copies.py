"""A copy of some of the packages, for tests that drop a file into one of them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]


def copy(folder: Path, *packages: str) -> None:
    """Put these packages, and no others, into a folder."""
    for package in packages:
        shutil.copytree(REPOSITORY / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))


def python(folder: Path, *arguments: str) -> str:
    """What Python prints that sees the packages of the folder alone; it has to end well."""
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env={key: value for key, value in os.environ.items() if key != "PYTHONPATH"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
