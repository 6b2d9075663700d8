"""Instances of other data sets become tasks, traps and all; bad ones are named by line and id."""

from __future__ import annotations

import difflib
import gzip
import importlib.util
import json
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from envs.swe.tasks.instances import instance, load_instances
from envs.swe.tasks.patches import reversed_patch, touched
from envs.swe.tasks.task import TestSuite

PATCH = """diff --git a/a.py b/a.py
index 111..222 100644
--- a/a.py
+++ b/a.py
@@ -1,3 +1,3 @@ def f():
 x = 1
-y = 2
+y = 3
 z = 4
"""
BENCH: dict[str, Any] = {
    "instance_id": "owner__name-12",
    "repo": "owner/name",
    "base_commit": "abc",
    "patch": PATCH,
    "test_patch": PATCH.replace("a.py", "tests/test_a.py"),
    "problem_statement": "It is\x85broken\u2028here.",
    "FAIL_TO_PASS": '["tests/test_a.py::t"]',
    "PASS_TO_PASS": '["tests/test_a.py::u", "tests/test_a.py::u"]',
}
SMITH: dict[str, Any] = {
    "instance_id": "owner__name.1a2b3c4d.func_pm_op_change__x1y2",
    "repo": "swesmith/owner__name.1a2b3c4d",
    "base_commit": "abc",
    "patch": PATCH,
    "FAIL_TO_PASS": ["t::a"],
    "PASS_TO_PASS": [],
    "image_name": "smith.x86_64.owner__name",
    "problem_statement": None,
}


def written(path: Path, rows: list[Any]) -> Path:
    path.write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in rows) + "\n", encoding="utf-8")
    return path


def test_lists_may_be_json_in_a_string_and_the_patch_of_smith_is_the_bug(tmp_path: Path) -> None:
    bench, smith = load_instances(written(tmp_path / "a.jsonl", [BENCH, SMITH]))
    assert bench.fail_to_pass == ("tests/test_a.py::t",)
    assert bench.pass_to_pass == ("tests/test_a.py::u",)
    assert bench.patch == PATCH
    assert bench.statement == BENCH["problem_statement"]
    assert isinstance(bench.checks, TestSuite)
    assert bench.checks.test_files == ("tests/test_a.py",)
    assert bench.base_commit == "abc"
    assert smith.fail_to_pass == ("t::a",)
    assert "-y = 3\n+y = 2\n" in smith.patch
    assert smith.image == "smith.x86_64.owner__name"
    assert smith.statement == ""
    assert bench.split == "eval"


def test_the_kind_can_be_told() -> None:
    assert instance(BENCH, "here", kind="smith").patch != PATCH
    assert instance(SMITH, "here", kind="bench").patch == PATCH
    with pytest.raises(ValueError, match="kind='swe'"):
        load_instances("x", kind="swe")


@pytest.mark.parametrize("form", ["list", "dict", "one", "gz", "bom"])
def test_files_may_have_many_forms(tmp_path: Path, form: str) -> None:
    path = tmp_path / "a.json"
    if form == "gz":
        path = tmp_path / "a.jsonl.gz"
        path.write_bytes(gzip.compress((json.dumps(BENCH) + "\n\n" + json.dumps(SMITH)).encode()))
    else:
        content = {"list": [BENCH, SMITH], "dict": {"a": BENCH, "b": SMITH}, "one": BENCH, "bom": [BENCH, SMITH]}[form]
        path.write_text(("\ufeff" if form == "bom" else "") + json.dumps(content))
    assert load_instances(path)[0].id == "owner__name-12"


def test_a_folder_is_read_whole_and_its_description_is_not(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    written(tmp_path / "data" / "one.jsonl", [BENCH])
    written(tmp_path / "two.jsonl", [SMITH])
    (tmp_path / "dataset_info.json").write_text("{}")
    assert len(load_instances(tmp_path)) == 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"repo": None}, r"line 2 \(x-1\) has no repo"),
        ({"FAIL_TO_PASS": "t::a"}, r"line 2 \(x-1\): FAIL_TO_PASS is a text that is no JSON list"),
        ({"PASS_TO_PASS": [1]}, r"line 2 \(x-1\): PASS_TO_PASS is no list of test ids"),
        ({"FAIL_TO_PASS": []}, r"line 2 \(x-1\): FAIL_TO_PASS is empty"),
        ({"patch": 3}, r"line 2 \(x-1\): patch is no text but int"),
        ({"test_patch": "@@ -1,5 +1,5 @@\n x\n"}, r"line 2 \(x-1\): a hunk of the patch ends too early"),
        ({"instance_id": "owner__name-12"}, r"line 2: owner__name-12 is there twice"),
        ({"instance_id": None}, "line 2 has no instance_id"),
        ({"instance_id": "o__n.1a2b3c4d.t__h", "patch": "nothing"}, "the patch has no hunks"),
    ],
)
def test_a_bad_instance_is_named_by_line_and_id(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    bad = {**BENCH, "instance_id": "x-1", **change}
    with pytest.raises(ValueError, match=message):
        load_instances(written(tmp_path / "a.jsonl", [BENCH, bad]))


@given(st.recursive(st.none() | st.integers() | st.text(max_size=5), lambda inner: st.lists(inner, max_size=3)))
@settings(max_examples=12, deadline=None)
def test_whatever_stands_in_a_field_it_is_a_task_or_a_clear_error(value: Any) -> None:
    for field in (*BENCH, "image_name"):
        assert told({**BENCH, field: value}) in ("", "here, line 7")


def told(row: dict[str, Any]) -> str:
    """Where an error says that it is; "" where the row is a task."""
    try:
        instance(row, "here, line 7")
    except ValueError as error:
        return str(error)[:12]
    return ""


@pytest.mark.parametrize("content", ["", "[1]", "nothing", "3", '{"instance_id"'])
def test_files_that_hold_no_instances_are_named(tmp_path: Path, content: str) -> None:
    for name in ("a.json", "a.jsonl"):
        path = tmp_path / name
        path.write_text(content)
        with pytest.raises(ValueError, match=name):
            load_instances(path)


def test_places_that_are_none_are_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="there is no"):
        load_instances(tmp_path / "none.jsonl")
    with pytest.raises(ValueError, match="holds no file"):
        load_instances(tmp_path)
    (tmp_path / "a.csv").write_text("")
    with pytest.raises(ValueError, match=r"a\.csv is not read"):
        load_instances(tmp_path / "a.csv")
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(b"x" * 1000)[:-9])
    with pytest.raises(ValueError, match="is damaged"):
        load_instances(tmp_path / "a.jsonl.gz")


@pytest.mark.skipif(importlib.util.find_spec("pyarrow") is not None, reason="pyarrow is installed")
def test_parquet_without_pyarrow_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_bytes(b"PAR1")
    with pytest.raises(ValueError, match=r"needs pyarrow: install it"):
        load_instances(tmp_path)


LINES = st.lists(st.sampled_from(["a", "b", "c", "-- x", "++ y", "@@ -1 +1 @@", "", "\\ z"]), max_size=8)


@given(LINES, LINES, st.booleans(), st.booleans())
@settings(max_examples=25, deadline=None)
def test_a_reversed_patch_takes_the_patch_back(old: list[str], new: list[str], bare: bool, other_bare: bool) -> None:
    before, after = "\n".join(old) + ("" if bare else "\n"), "\n".join(new) + ("" if other_bare else "\n")
    if before == after or not before.strip() or not after.strip():
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "f").write_text(after)
        reverse = reversed_patch(diff(before, after))
        done = subprocess.run(["git", "apply", "-"], cwd=folder, input=reverse, text=True, capture_output=True)
        assert done.returncode == 0, done.stderr + reverse
        assert (folder / "f").read_text() == before


def diff(before: str, after: str) -> str:
    old, new = before.splitlines(keepends=True), after.splitlines(keepends=True)
    lines = difflib.unified_diff(old, new, "a/f", "b/f")
    return "".join(line if line.endswith("\n") else line + "\n\\ No newline at end of file\n" for line in lines)


def test_new_and_deleted_files_and_renames_turn_round() -> None:
    new = "diff --git a/n b/n\nnew file mode 100644\nindex 000..111\n--- /dev/null\n+++ b/n\n@@ -0,0 +1 @@\n+x\n"
    gone = "diff --git a/n b/n\ndeleted file mode 100644\nindex 111..000\n--- a/n\n+++ /dev/null\n@@ -1 +0,0 @@\n-x\n"
    assert reversed_patch(new) == gone
    assert reversed_patch(gone) == new
    assert touched(new) == touched(gone) == ("n",)
    moved = "diff --git a/o b/n\nrename from o\nrename to n\n--- a/o\n+++ b/n\n@@ -1 +1 @@\n--- x\n+++ y\n"
    turned = "diff --git a/n b/o\nrename from n\nrename to o\n--- a/n\n+++ b/o\n@@ -1 +1 @@\n-++ y\n+-- x\n"
    assert reversed_patch(moved) == turned
    assert touched(moved) == ("o", "n")
    with pytest.raises(ValueError, match="binary"):
        reversed_patch("diff --git a/n b/n\nBinary files a/n and b/n differ\n")
