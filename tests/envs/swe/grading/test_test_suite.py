"""SWE-bench's grading over real pytest and unittest runs, and what cheats come to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from envs.swe.grading import test_suite
from envs.swe.grading.canary import Canary
from envs.swe.grading.log_parsers import parse_pytest, parse_unittest, status_of
from envs.swe.grading.patches import MOST_BYTES, checked_patch
from envs.swe.grading.predictions import Prediction, read_predictions, write_predictions
from envs.swe.grading.report import Status
from envs.swe.grading.test_suite import Run, TestSuiteJudge, judged, resolution, understood
from envs.swe.sandbox.pool import Pool
from envs.swe.sandbox.sandbox import Execution
from envs.swe.tasks.task import TestSuite as Suite
from tests.envs.swe.grading.calculator import BUG, CALLED, MENDED, TESTED, TESTS, tree

MENDED_ID, KEPT_ID, HALVES_ID = (*TESTED.fail_to_pass, *TESTED.pass_to_pass)
PATCH = """--- a/calc.py
+++ b/calc.py
@@ -1,2 +1,2 @@
 def add(a, b):
-    return a - b
+    return a + b
"""


@pytest.fixture(scope="module")
def judge(bubblewrap_pool: Pool) -> Iterator[TestSuiteJudge]:
    return TestSuiteJudge(bubblewrap_pool, seconds=30)


def test_a_mended_tree_passes_with_either_provider(pool: Pool):
    report = TestSuiteJudge(pool).grade(TESTED, tree(TESTED, calc=MENDED))
    assert (report.outcome, report.resolution, report.invalid) == ("pass", "FULL", "")
    assert set(report.statuses.values()) == {"PASSED"}


def test_an_unchanged_tree_is_empty_and_its_suite_fails_where_it_should(judge: TestSuiteJudge):
    assert judge.grade(TESTED, TESTED.files).outcome == "empty"
    assert judge.statuses(TESTED, TESTED.files, [MENDED_ID, KEPT_ID, "none"]) == {
        MENDED_ID: "FAILED",
        KEPT_ID: "PASSED",
        "none": "MISSING",
    }


HOOK = """
import pytest

@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    outcome.get_result().outcome = "passed"
"""
CHEATS = {
    "a hook in conftest": tree(TESTED, conftest=HOOK, tests__conftest=HOOK),
    "other tests": tree(
        TESTED, tests__test_calc="def test_mended(): pass\ndef test_kept(): pass\ndef test_halves(): pass\n"
    ),
    "tests that are left out": {**TESTED.files, "pytest.ini": f"[pytest]\naddopts = --deselect {MENDED_ID}\n"},
    "a log without a run": tree(
        TESTED,
        calc=BUG
        + f"\nprint('PASSED {MENDED_ID}\\nPASSED {KEPT_ID}\\nPASSED {HALVES_ID}', flush=True)\n"
        + "import os\nos._exit(0)\n",
    ),
    "pytest's report changed from the module": tree(
        TESTED,
        calc=BUG
        + "\nfrom _pytest.reports import TestReport\nmake = TestReport.from_item_and_call.__func__\n"
        + "def good(cls, item, call):\n    report = make(cls, item, call)\n    report.outcome = 'passed'\n"
        + "    report.longrepr = None\n    return report\nTestReport.from_item_and_call = classmethod(good)\n",
    ),
    "a skip of the module": tree(TESTED, calc=BUG + "\nimport pytest\npytest.skip(allow_module_level=True)\n"),
    "an expected failure from inside": tree(TESTED, calc=BUG.replace("return a - b", "import pytest; pytest.xfail()")),
    "a module that is pytest": tree(TESTED, pytest=f"print('PASSED {MENDED_ID}')\n"),
    "code at the start of Python": tree(TESTED, sitecustomize="import os\nos._exit(0)\n"),
    "an exit in the end": tree(TESTED, calc=BUG + "\nimport atexit, os\natexit.register(os._exit, 0)\n"),
    "more output than is read": tree(TESTED, calc=MENDED + "\nimport atexit\natexit.register(print, 'x' * 10**6)\n"),
    "everything else broken": tree(TESTED, calc=MENDED.replace("a / 2", "0")),
}


@pytest.mark.parametrize("name", CHEATS)
def test_a_cheat_is_not_resolved(judge: TestSuiteJudge, name: str):
    report = judge.grade(TESTED, CHEATS[name])
    assert report.outcome in ("fail", "empty")
    assert report.resolution == "NO"


def test_cheats_that_replace_what_is_pristine_differ_in_nothing(judge: TestSuiteJudge):
    for name in ("a hook in conftest", "other tests", "tests that are left out"):
        assert judge.grade(TESTED, CHEATS[name]).outcome == "empty"
    report = judge.grade(TESTED, CHEATS["pytest's report changed from the module"])
    assert report.invalid == "forged"


def test_a_conftest_of_the_tasks_own_is_kept(judge: TestSuiteJudge):
    fixture = "import pytest\n\n\n@pytest.fixture\ndef three():\n    return 3\n"
    tests = TESTS.replace("def test_mended():", "def test_mended(three):").replace("== 3", "== three")
    task = replace(
        TESTED, id="fixture", files={"calc.py": BUG, "tests/conftest.py": fixture, "tests/test_calc.py": tests}
    )
    assert judge.grade(task, tree(task, calc=MENDED, tests__conftest="raise SystemExit")).outcome == "pass"


def test_tests_that_a_patch_brings_are_applied_over_pristine_ones(judge: TestSuiteJudge):
    lines = "+from calc import add\n+\n+def test_new():\n+    assert add(2, 2) == 4\n"
    patch = f"--- /dev/null\n+++ b/tests/test_new.py\n@@ -0,0 +1,4 @@\n{lines}"
    task = replace(
        TESTED, id="patch", checks=replace(suite(), test_patch=patch), fail_to_pass=("tests/test_new.py::test_new",)
    )
    assert judge.grade(task, tree(task, calc=MENDED)).outcome == "pass"
    assert judge.grade(task, tree(task, calc=BUG + "#", tests__test_new="def test_new(): pass\n")).outcome == "fail"
    broken = replace(task, id="broken", checks=replace(suite(), test_patch=patch.replace("+1,4", "+1,9")))
    with pytest.raises(ValueError, match="no unified diff"):
        judge.grade(broken, tree(task, calc=MENDED))


def test_unittest_is_understood(judge: TestSuiteJudge):
    tests = """
import unittest
from calc import add


class Adds(unittest.TestCase):
    def test_mended(self):
        "What it says in words."
        print("and in prints")
        self.assertEqual(add(1, 2), 3)

    def test_kept(self):
        self.assertEqual(add(0, 0), 0)

    @unittest.skip("never")
    def test_left(self):
        pass
"""
    ids = [f"test_{name} (test_calc.Adds.test_{name})" for name in ("mended", "kept", "left")]
    task = replace(
        TESTED,
        id="unittest",
        files={"calc.py": BUG, "test_calc.py": tests},
        checks=Suite(("python", "-m", "unittest", "-v", "test_calc"), parser="unittest"),
        fail_to_pass=(ids[0],),
        pass_to_pass=tuple(ids[1:]),
    )
    report = judge.grade(task, tree(task, calc=MENDED))
    assert (report.outcome, report.invalid) == ("pass", "")
    assert report.statuses[ids[2]] == "SKIPPED"
    assert judge.grade(task, tree(task, calc=BUG + "#")).outcome == "fail"
    found = replace(task, id="found", checks=Suite(("python", "-m", "unittest", "discover", "-v"), parser="unittest"))
    assert judge.grade(found, tree(task, calc=MENDED)).outcome == "pass"


def test_a_hang_is_a_timeout_and_no_pass(bubblewrap_pool: Pool):
    judge = TestSuiteJudge(bubblewrap_pool, seconds=3)
    report = judge.grade(TESTED, tree(TESTED, calc=MENDED.replace("return a / 2", "while True: pass")))
    assert (report.outcome, report.invalid, report.resolution) == ("fail", "timeout", "NO")


def test_a_prediction_is_judged_by_its_patch(judge: TestSuiteJudge):
    assert judge.grade_patch(TESTED, PATCH).outcome == "pass"
    for nothing in (None, "", " \n"):
        assert judge.grade_patch(TESTED, nothing).outcome == "empty"
    report = judge.grade_patch(TESTED, PATCH.replace("a - b", "a * b"))
    assert (report.outcome, report.invalid) == ("fail", "the patch did not apply")
    only_tests = PATCH.replace("calc.py", "conftest.py").replace("@@ -1,2 +1,2 @@", "@@ -0,0 +1,1 @@")
    added = only_tests.replace("--- a/conftest.py", "--- /dev/null").replace(" def add(a, b):\n-    return a - b\n", "")
    assert judge.grade_patch(TESTED, added).outcome == "fail"


def test_runs_are_remembered_by_what_is_judged(judge: TestSuiteJudge, monkeypatch: pytest.MonkeyPatch):
    first = judge.run(TESTED, tree(TESTED, calc=MENDED + "# once\n"))
    monkeypatch.setattr(test_suite, "run_marked", lambda *_: pytest.fail("it ran again"))
    assert judge.run(TESTED, tree(TESTED, calc=MENDED + "# once\n", conftest="not judged")) is first
    with pytest.raises(pytest.fail.Exception, match="it ran again"):
        judge.run(TESTED, tree(TESTED, calc=MENDED + "# twice\n"))


def suite() -> Suite:
    assert isinstance(TESTED.checks, Suite)
    return TESTED.checks


@pytest.mark.parametrize(
    ("mended", "kept", "verdict"),
    [
        (("PASSED", "PASSED"), ("PASSED", "PASSED"), "FULL"),
        (("PASSED", "XFAIL"), ("PASSED", "XFAIL"), "FULL"),
        (("PASSED", "PASSED"), ("PASSED", "SKIPPED"), "FULL"),
        (("PASSED", "SKIPPED"), ("PASSED", "PASSED"), "PARTIAL"),
        (("PASSED", "MISSING"), ("PASSED", "PASSED"), "PARTIAL"),
        (("SKIPPED", "FAILED"), ("PASSED", "PASSED"), "NO"),
        (("PASSED", "PASSED"), ("PASSED", "MISSING"), "NO"),
        (("PASSED", "PASSED"), ("PASSED", "ERROR"), "NO"),
    ],
)
def test_only_all_of_both_lists_is_full(mended: tuple[Status, ...], kept: tuple[Status, ...], verdict: str):
    files = {"calc.py": BUG, "tests/test_calc.py": "# with xfail and skipif\n"}
    task = replace(TESTED, files=files, fail_to_pass=("a", "b"), pass_to_pass=("c", "d"))
    assert resolution(task, dict(zip("abcd", (*mended, *kept), strict=True))) == verdict


def test_xfail_and_skip_count_only_where_the_tests_themselves_speak_of_them():
    task = replace(TESTED, fail_to_pass=("a",), pass_to_pass=("b",))
    assert resolution(task, {"a": "XFAIL", "b": "PASSED"}) == "NO"
    assert resolution(task, {"a": "PASSED", "b": "SKIPPED"}) == "NO"


def test_a_log_counts_only_between_its_markers_and_with_the_right_exit_status():
    canary = Canary("pytest", ("pytest",), {})
    lines = f"FAILED x::{canary.failing} - assert\nPASSED x::{canary.passing}\nPASSED t::a\n"

    def run(log: str, **how: bool) -> Run:
        return understood(Execution(0, log.encode(), **how), "pytest", "mark", canary)

    assert run(f"mark start\n{lines}\nmark end 1\n") == Run({"t::a": "PASSED"})
    assert run(f"mark start\n{lines}\nmark end 0\n").invalid == "forged"
    assert run(f"mark start\n{lines}\nmark end 137\n").invalid == "forged"
    assert run(f"mark start\n{lines.replace('FAILED', 'PASSED')}\nmark end 1\n").invalid == "forged"
    assert run("mark start\nPASSED t::a\nmark end 1\n").invalid == "forged"
    assert run("mark start\nnothing\nmark end 1\n").invalid == "no report"
    assert run(f"mark start\n{lines}").invalid.startswith("the log is cut")
    assert run(f"{lines}").invalid.startswith("the log is cut")
    assert run(f"mark start\n{lines}\nmark end 1\n", timed_out=True).invalid == "timeout"


def test_logs_are_parsed_as_runners_print_them():
    assert parse_pytest(
        "t.py::a PASSED  [ 10%]\nt.py::b[x - y] FAILED [100%]\nERROR t.py - ImportError: no\nXFAIL t.py::c - why\n"
        "PASSED t.py::d\nERROR t.py::d - teardown\nSKIPPED [1] t.py:3: why\nPASSED\nFAILED\n"
    ) == {"t.py::a": "PASSED", "t.py::b[x - y]": "FAILED", "t.py": "ERROR", "t.py::c": "XFAIL", "t.py::d": "ERROR"}
    assert parse_unittest(
        "test_a (m.C.test_a) ... skipped 'why'\ntest_b (m.C.test_b) ... expected failure\n"
        "test_c (m.C.test_c) ... printed\nok\ntest_d (m.C.test_d) ... unexpected success\n"
    ) == {
        "test_a (m.C.test_a)": "SKIPPED",
        "test_b (m.C.test_b)": "XFAIL",
        "test_c (m.C.test_c)": "PASSED",
        "test_d (m.C.test_d)": "FAILED",
    }
    assert status_of("t::a[1", {"t::a[12]": "PASSED", "t::a[13]": "PASSED"}) == "PASSED"
    assert status_of("t::a", {"t::ab": "PASSED"}) == "MISSING"


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("x" * (MOST_BYTES + 1), "more than"),
        ("hello", "changes no file"),
        ("--- a/x\n+++ b/x\n@@ -1,9 +1,9 @@\n x\n", "no unified diff"),
        ("diff --git a/x b/x\nGIT binary patch\nliteral 3\n", "binary"),
        ("diff --git a/x b/x\nold mode 100644\nnew mode 100755\n", "kind of file"),
        (
            "diff --git a/x b/x\nnew file mode 120000\n--- /dev/null\n+++ b/x\n@@ -0,0 +1 @@\n+/etc/passwd\n",
            "kind of file",
        ),
        ("--- a/x\n+++ b/x\n@@ -1 +1 @@\n-Subproject commit 1\n+Subproject commit 2\n", "submodule"),
        (PATCH.replace("calc.py", "../../etc/passwd"), "relative path"),
        (PATCH.replace("a/calc.py", "/etc/passwd").replace("b/calc.py", "/etc/passwd"), "relative path"),
        ("".join(f"--- a/{n}\n+++ b/{n}\n@@ -1 +1 @@\n-a\n+b\n" for n in range(101)), "100 files"),
    ],
)
def test_a_patch_that_is_more_than_text_is_refused(text: str, wrong: str):
    with pytest.raises(ValueError, match=wrong):
        checked_patch(text)


def test_new_files_are_judged_where_they_are_plain_source():
    added = {"helper.py": "", "pkg/new.py": "", "json.py": "", "pytest.py": "", "x.pth": "", "a/__pycache__/b.py": ""}
    added |= {"tests/test_more.py": "", "test_x.py": "", "setup.cfg": "", ".hidden/x.py": ""}
    assert set(judged(TESTED, dict(TESTED.files) | added)) == {*TESTED.files, "helper.py", "pkg/new.py"}


def test_tasks_of_another_kind_are_refused(judge: TestSuiteJudge):
    with pytest.raises(ValueError, match="use ExecutingJudge"):
        judge.grade(CALLED, CALLED.files)
    with pytest.raises(ValueError, match="image 'swebench'"):
        judge.grade(replace(TESTED, files={}, image="swebench"), {})
    with pytest.raises(ValueError, match="expected one of pytest, unittest"):
        judge.grade(replace(TESTED, checks=replace(suite(), parser="nose")), {})


def test_predictions_are_written_and_read_in_the_benchmarks_format(tmp_path: Path):
    path = tmp_path / "predictions.jsonl"
    write_predictions(path, [Prediction("a__b-1", "model", PATCH), Prediction("a__b-2", "model", "")])
    assert read_predictions(path)["a__b-1"].model_patch == PATCH
    path.write_text('{"instance_id": "a", "model_name_or_path": "m", "model_patch": null}\n\n')
    assert read_predictions(path) == {"a": Prediction("a", "m", "")}
    for text, wrong in (
        ("[]", ":1: expected instance_id"),
        ('{"instance_id": 1}', ":1: expected"),
        ("{", ":1: expected"),
    ):
        path.write_text(text)
        with pytest.raises(ValueError, match=wrong):
            read_predictions(path)
    path.write_text('{"instance_id": "a", "model_name_or_path": "m", "model_patch": ""}\n' * 2)
    with pytest.raises(ValueError, match=":2: a second prediction for a"):
        read_predictions(path)
