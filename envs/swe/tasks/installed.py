"""Tasks of an installed pure-Python package with tests of its own, validated in a sandbox.

The package is found by its import name and read as text; neither it nor its tests are run here.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping, Sequence
from pathlib import Path

from envs.swe.grading.report import Status
from envs.swe.sandbox.sandbox import Sandbox
from envs.swe.tasks.mutations import Mutation, chosen, single
from envs.swe.tasks.source import Source
from envs.swe.tasks.task import Bug, Task, TestSuite, Tree, tree_hash
from envs.swe.tasks.validation import by_hash, split_ids, steady, verdict

_COMMAND = ("python3", "-m", "pytest", "-rA", "--tb=no", "-q", "-p", "no:cacheprovider")
_RUNS = 3  # of the package as it is; a test that does not pass in each is left out


def package_tree(name: str, tests: str | Path | None = None) -> dict[str, str]:
    """The sources of an importable package and its tests, as a tree.

    Args:
        name: by which it is imported.
        tests: folder of its tests, where they do not lie in the package; they go to tests/.

    Raises:
        ValueError: there is no such package, it is not pure Python, or a file is no UTF-8.
    """
    spec = importlib.util.find_spec(name) if name.isidentifier() else None
    if spec is None or not spec.submodule_search_locations:
        raise ValueError(f"there is no installed package {name!r}; give the name by which it is imported")
    root = Path(next(iter(spec.submodule_search_locations)))
    if compiled := [path for path in root.rglob("*") if path.suffix in (".so", ".pyd")]:
        raise ValueError(f"{name} is not pure Python ({compiled[0].name}); choose another")
    tree = _texts(root, name)
    if tests is not None:
        if not Path(tests).is_dir():
            raise ValueError(f"tests={tests} is no folder")
        tree |= _texts(Path(tests), "tests")
    return tree


def package_tasks(
    name: str,
    tree: Tree,
    sandbox: Sandbox,
    count: int,
    seed: int = 0,
    techniques: Sequence[str] = (),
    seconds: float = 120.0,
    split: str = "eval",
) -> tuple[Task, ...]:
    """Validated tasks of a package, each run of its tests in the sandbox.

    Args:
        name: of the package, whose files outside tests are mutated.
        tree: of `package_tree`.
        sandbox: with a Python that has pytest and what the package needs.
        count: how many at most.
        seed: of the order in which mutants are tried.
        techniques: see `mutations`; none means all.
        seconds: of one run of the tests; what takes longer is no task.
        split: that they are of; one package is of one split.

    Raises:
        ValueError: none of its tests passes in every run.
        SandboxLost: the sandbox is gone.
    """
    runs = [run_tests(sandbox, tree, seconds)[0] for _ in range(_RUNS)]
    stable = steady(runs)
    if not stable:
        raise ValueError(f"no test of {name} passes in the sandbox; does it have pytest and what {name} needs?")
    tasks: list[Task] = []
    for path, mutation in _mutations(tree, techniques, seed):
        if len(tasks) >= count:
            break
        mutated = {**tree, path: mutation.text}
        statuses, late = run_tests(sandbox, mutated, seconds)
        if verdict(statuses, stable, late) == "valid":
            tasks.append(_task(name, tree, path, mutation, statuses, stable, split, seed))
    return tuple(tasks)


def run_tests(sandbox: Sandbox, tree: Tree, seconds: float) -> tuple[dict[str, Status], bool]:
    """Statuses by test id, and whether the run took too long."""
    sandbox.reset(tree)
    done = sandbox.execute(_COMMAND, seconds)
    return read_summary(done.output.decode(errors="replace")), done.timed_out


def read_summary(output: str) -> dict[str, Status]:
    """Statuses of pytest's short summary (-rA); skipped tests have no id there and are left out.

    >>> read_summary("PASSED t.py::a\\nFAILED t.py::b[1 - x] - assert 1\\nSKIPPED [1] t.py:3: why")
    {'t.py::a': 'PASSED', 't.py::b[1 - x]': 'FAILED'}
    """
    statuses: dict[str, Status] = {}
    for line in output.splitlines():
        status, _, rest = line.partition(" ")
        if status in ("PASSED", "FAILED", "ERROR", "XFAIL", "XPASS") and "::" in rest:
            statuses[_identity(rest)] = "PASSED" if status == "XPASS" else status  # type: ignore[assignment]
    return statuses


def _identity(rest: str) -> str:
    """The id without the message: " - " within brackets is of the id."""
    depth = 0
    for place, letter in enumerate(rest):
        depth += (letter == "[") - (letter == "]")
        if depth <= 0 and rest.startswith(" - ", place):
            return rest[:place]
    return rest.partition(" - ")[0] if depth > 0 else rest


def _texts(root: Path, prefix: str) -> dict[str, str]:
    tree = {}
    for path in sorted(root.rglob("*")):
        parts = path.relative_to(root).parts
        if not path.is_file() or "__pycache__" in parts or path.suffix == ".pyc":
            continue
        try:
            tree["/".join((prefix, *parts))] = path.read_text(encoding="utf-8")
        except UnicodeDecodeError as error:
            if path.suffix == ".py":
                raise ValueError(f"{path} is no UTF-8; choose another package") from error
    return tree


def _mutations(tree: Tree, techniques: Sequence[str], seed: int) -> list[tuple[str, Mutation]]:
    found: dict[str, tuple[str, Mutation]] = {}
    for path, text in tree.items():
        if path.endswith(".py") and not _is_test(path):
            for mutation in single(Source(text), chosen(techniques), seed):
                found[f"{path} {mutation.fingerprint}"] = (path, mutation)
    return [found[key] for key in by_hash(found, f"{seed} order")]


def _is_test(path: str) -> bool:
    parts = path.split("/")
    return (
        bool({"tests", "test"} & set(parts)) or parts[-1].startswith(("test_", "conftest")) or path.endswith("_test.py")
    )


def _task(
    name: str,
    tree: Tree,
    path: str,
    mutation: Mutation,
    statuses: Mapping[str, Status],
    stable: Sequence[str],
    split: str,
    seed: int,
) -> Task:
    mutated = {**tree, path: mutation.text}
    parts = split_ids(statuses, stable, f"{seed} {mutation.fingerprint}")
    failing = [key for key in parts.fail_to_pass if key in set(parts.visible)]
    tests = tuple(file for file in tree if _is_test(file))
    return Task(
        id=f"{name}.{tree_hash(tree)[:8]}.{mutation.technique}__{tree_hash(mutated)[:10]}",
        repo=name,
        files=mutated,
        statement=f"A test of {name} that should pass does not:\n\n" + "\n".join(f"    {key}" for key in failing[:3]),
        checks=TestSuite(_COMMAND, test_files=tests),
        fail_to_pass=parts.fail_to_pass,
        pass_to_pass=parts.pass_to_pass,
        visible=parts.visible,
        reference={path: tree[path]},
        bug=Bug(mutation.technique, path, mutation.function, mutation.line),
        split=split,
    )
