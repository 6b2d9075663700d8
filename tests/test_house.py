"""The house stands: knowledge runs one way, and no modules go round in a circle."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
KNOWS = {
    "foundation": set(),
    "envs": {"foundation"},
    "shaping": {"foundation"},
    "agents": {"foundation", "shaping"},
    "scripts": {"foundation", "envs", "shaping", "agents"},
}
"""Package -> the other packages that it may import."""
ROOMS = {
    "configuration": set(),
    "running": {"configuration"},
    "results": {"configuration", "running"},
    "annotation": {"configuration", "running", "results"},
    "rocket": {"configuration", "running", "results"},
    "benchmarks": {"configuration", "running", "results"},
    "swe": {"configuration"},
    "coding": {"configuration", "running", "results", "demonstrations"},
    "demonstrations": {"configuration", "running"},
    "experiments": {
        "configuration",
        "running",
        "results",
        "annotation",
        "rocket",
        "benchmarks",
        "demonstrations",
        "coding",
    },
}
"""Room of scripts/ -> the other rooms that it may import; the commands above import all."""
STANDALONE = {"scripts.lock", "scripts.benchmarks.rlgym_speed"}
"""Run by a Python without our packages."""
ALONE = {"agents.coding": {"numpy", "numba"}}
"""Package that knows nothing of ours but the foundation -> what else it may import."""
NAMELESS = {"utils", "util", "helpers", "misc", "common"}


def modules() -> dict[str, Path]:
    """Name -> file of every module of ours."""
    files = {}
    for package in KNOWS:
        for path in sorted((ROOT / package).rglob("*.py")):
            name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
            files[name.removesuffix(".__init__")] = path
    return files


MODULES = modules()


def imported(name: str) -> Iterator[str]:
    """The modules of ours that one imports, anywhere in it, for types too."""
    for node in ast.walk(ast.parse(MODULES[name].read_text())):
        if isinstance(node, ast.Import):
            targets = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name} imports relatively"
            targets = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for target in targets:
            while target and target not in MODULES:  # a class or function: the module that it stands in
                target = target.rpartition(".")[0]
            if target and target != name:
                yield target


GRAPH = {name: set(imported(name)) for name in MODULES}


@pytest.mark.parametrize("package", KNOWS)
def test_knowledge_runs_one_way(package: str) -> None:
    for name, targets in GRAPH.items():
        if name.partition(".")[0] == package:
            others = {target for target in targets if target.partition(".")[0] not in {package, *KNOWS[package]}}
            assert not others, f"{name} imports {', '.join(sorted(others))}"


def test_imports_in_scripts_run_downwards() -> None:
    for name, targets in GRAPH.items():
        package, _, rest = name.partition(".")
        if package != "scripts" or not rest:
            continue
        room = rest.partition(".")[0]
        for target in targets:
            if target.startswith("scripts."):
                other = target.split(".")[1]
                if room in ROOMS:
                    assert other in {room, *ROOMS[room]}, f"{name} imports {target}, which stands above it"


def test_no_modules_go_round_in_a_circle() -> None:
    try:
        TopologicalSorter(GRAPH).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


def test_what_a_bare_python_runs_imports_nothing_of_ours() -> None:
    for name in STANDALONE:
        assert not GRAPH[name], name


@pytest.mark.parametrize("package", ALONE)
def test_a_package_that_stands_alone_imports_nothing_else(package: str) -> None:
    for name, targets in GRAPH.items():
        if not f"{name}.".startswith(f"{package}."):
            continue
        others = {target for target in targets if not f"{target}.".startswith((f"{package}.", "foundation."))}
        assert not others, f"{name} imports {', '.join(sorted(others))}"
        for node in ast.walk(ast.parse(MODULES[name].read_text())):
            named = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            named += [str(node.module)] if isinstance(node, ast.ImportFrom) else []
            strangers = {each.partition(".")[0] for each in named} - ALONE[package] - sys.stdlib_module_names
            assert strangers <= set(KNOWS), f"{name} imports {', '.join(sorted(strangers))}"


def test_every_file_has_a_name_that_says_something() -> None:
    for name, path in MODULES.items():
        assert path.stem not in NAMELESS, name
        assert ast.get_docstring(ast.parse(path.read_text())), f"{name} does not say what it is"


def test_nothing_outside_agents_asks_an_algorithm_for_its_class() -> None:
    """An algorithm of SB3 is named in agents/ alone, and in the benchmark that compares with it."""
    algorithms = {"PPO", "A2C", "DQN", "SAC", "TD3", "QRDQN", "MaskablePPO", "RecurrentPPO", "AuxPPO"}
    algorithms |= {"OnPolicyAlgorithm", "OffPolicyAlgorithm"}
    theirs = ("stable_baselines3", "sb3_contrib")
    for name, path in MODULES.items():
        if name.startswith(("agents", "scripts.benchmarks")):
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(theirs):
                named = algorithms & {alias.name for alias in node.names}
                assert not named, f"{name} imports {', '.join(sorted(named))}"


def test_general_tools_name_no_family_of_environments() -> None:
    families = ("envs.nethack", "envs.rocket", "envs.classic", "envs.plain")
    general = ("scripts.configuration", "scripts.running", "scripts.results", "scripts.experiments.claim")
    for name, targets in GRAPH.items():
        if name.startswith(general):
            assert not [target for target in targets if target.startswith(families)], name
