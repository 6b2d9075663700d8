"""Imports: shaping stands on foundation alone, knows no policy, its modules on those below."""

from __future__ import annotations

import ast
from graphlib import TopologicalSorter
from pathlib import Path

import shaping

ROOT = Path(shaping.__file__).parent
FILES = {".".join(("shaping", *path.relative_to(ROOT).with_suffix("").parts)): path for path in ROOT.rglob("*.py")}


def imported(path):
    """Names of everything that a file imports, for types too."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            inner = [f"{node.module}.{alias.name}" for alias in node.names]
            yield from (name if name in FILES else node.module for name in inner)


def test_shaping_imports_foundation_alone_and_of_sb3_the_vector_environment():
    for name, path in FILES.items():
        for other in imported(path):
            assert other.partition(".")[0] not in ("agents", "envs", "scripts", "tests", "sb3_contrib"), (name, other)
            if other.startswith("stable_baselines3"):
                assert (name, other) == ("shaping.vec_env", "stable_baselines3.common.vec_env")


def test_no_circle_goes_through_the_modules_or_folders_of_shaping():
    def unit(name):
        return ".".join(name.split(".")[:2])

    modules = {name: {other for other in imported(path) if other in FILES} for name, path in FILES.items()}
    units = {unit(name): set() for name in FILES}
    for name, others in modules.items():
        units[unit(name)] |= {unit(other) for other in others} - {unit(name)}
    for graph in (modules, units):
        TopologicalSorter(graph).prepare()  # raises CycleError
    assert all("shaping.__init__" not in others for others in modules.values())
    assert not any("shaping" in set(imported(path)) for path in FILES.values()), "the front door is for others"
