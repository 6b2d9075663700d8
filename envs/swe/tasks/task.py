"""What a task is: a tree of files with a bug, its statement, and how a tree is judged."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field

Tree = Mapping[str, str]
"""Relative POSIX path -> text of every file."""


@dataclass(frozen=True)
class Case:
    """A call of a function with plain arguments, and what it comes to.

    Attributes:
        id: "module::function[3]", unique in a task.
        module, function: what is called ("intervals", "merge"); a method is "Class.method", whose
            first argument holds the arguments of the class.
        arguments: positional arguments, plain values (None, bool, int, float, str, list, tuple,
            dict, set) written as `repr`, so that a tuple stays a tuple.
        expected: `repr` of the result, or "raises ValueError". Never sent to a sandbox.
    """

    id: str
    module: str
    function: str
    arguments: str
    expected: str


@dataclass(frozen=True)
class Cases:
    """Judged by calls whose results are compared outside the sandbox."""

    cases: tuple[Case, ...]


@dataclass(frozen=True)
class TestSuite:
    """Judged by a project's own tests, as SWE-bench does.

    Attributes:
        command: argv of the run, in the sandbox, in the root of the tree.
        test_patch: a unified diff that brings the tests; "" where the tree holds them.
        test_files: paths that are restored before the run, whatever was done to them.
        parser: which log format the command prints ("pytest", "unittest", ...).
    """

    command: tuple[str, ...]
    test_patch: str = ""
    test_files: tuple[str, ...] = ()
    parser: str = "pytest"
    __test__ = False  # for pytest, which collects classes of such a name


@dataclass(frozen=True)
class Bug:
    """Where a generated bug lies and how it was made: for statistics, never shown to an agent."""

    technique: str
    path: str
    function: str
    line: int


@dataclass(frozen=True)
class Task:
    """One bug to mend.

    Attributes:
        id: "intervals.9f1c2a3b.change_operator__5d41".
        repo: the package or repository it is of.
        files: the tree that the agent starts from; empty where `image` holds it.
        statement: the issue, in words, made of a failing case and never of the diff.
        checks: how a tree is judged.
        fail_to_pass, pass_to_pass: ids that the mended tree must turn, and keep.
        visible: ids that the agent may run (some of both kinds); the rest only grades.
        reference: the changed files as they should be (path -> text). Never given to a sandbox.
        patch: for instances that bring a diff instead: what mends the tree.
        bug: how it was made, for generated tasks.
        image, workdir, base_commit: where an instance's tree lies.
        split: "train" or "eval".
    """

    id: str
    repo: str
    files: Tree
    statement: str
    checks: Cases | TestSuite
    fail_to_pass: tuple[str, ...]
    pass_to_pass: tuple[str, ...]
    visible: tuple[str, ...] = ()
    reference: Tree = field(default_factory=dict)
    patch: str = ""
    bug: Bug | None = None
    image: str = ""
    workdir: str = ""
    base_commit: str = ""
    split: str = "train"


def tree_hash(tree: Tree) -> str:
    """Names a tree: the same for the same paths and texts, whatever their order."""
    return hashlib.sha256(json.dumps(sorted(tree.items())).encode()).hexdigest()[:32]
