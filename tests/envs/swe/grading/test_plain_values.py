"""Calls are compared outside: what a tree does to the inside changes no verdict."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from envs.swe.grading.descriptions import canonical, describe, parse, same
from envs.swe.grading.plain_values import ExecutingJudge, answers, call, compared
from envs.swe.grading.report import Report
from envs.swe.sandbox.pool import Pool
from envs.swe.sandbox.sandbox import Execution, SandboxLost
from envs.swe.tasks.task import Case, Cases, Task
from tests.envs.swe.grading.calculator import BUG, CALLED, CASES, MENDED, TESTED, tree


@pytest.fixture
def judge(pool: Pool) -> ExecutingJudge:
    return ExecutingJudge(pool)


@pytest.fixture(scope="module")
def bubblewrap_judge(bubblewrap_pool: Pool) -> Iterator[ExecutingJudge]:
    return ExecutingJudge(bubblewrap_pool)


def test_a_mended_tree_passes_and_an_unchanged_one_is_empty(judge: ExecutingJudge):
    report = judge.grade(CALLED, tree(CALLED, calc=MENDED))
    assert report.outcome == "pass"
    assert set(report.statuses.values()) == {"PASSED"}
    assert judge.grade(CALLED, CALLED.files).outcome == "empty"
    assert judge.statuses(CALLED, CALLED.files, ["calc::add[0]", "calc::halve[0]"]) == {
        "calc::add[0]": "FAILED",
        "calc::halve[0]": "PASSED",
    }


ORDER = "def order():\n    return min({'a', 'b'}, key=hash)\n"
GUESS = """
import json, os
GUESS = json.dumps({"call": 0, "state": "value", "value": ["int", "4"]})
"""
CHEATS = {
    "an object that equals everything": BUG.replace("a - b", "Same()")
    + "\n\nclass Same(int):\n    def __eq__(self, other): return True\n    __hash__ = None\n",
    "1.0 for 1": BUG.replace("a - b", "float(a + b)"),
    "a subclass of int": BUG.replace("a - b", "Number(a + b)") + "\n\nclass Number(int): pass\n",
    "a print of replies": BUG + GUESS + "print(GUESS)\n",
    "replies down every descriptor": BUG
    + GUESS
    + "for n in range(64):\n    try: os.write(n, GUESS.encode() * 9)\n    except OSError: pass\n",
    "patched json": BUG + GUESS + "json.dumps = lambda *a, **k: GUESS\n",
    "what the frames hold": BUG
    + """
import sys
frame = sys._getframe()
while frame:
    for value in list(frame.f_locals.values()):
        for item in value if isinstance(value, list) else []:
            add = (lambda found: lambda a, b: found)(item.get("expected", -1)) if isinstance(item, dict) else add
    frame = frame.f_back
""",
    "the runner's memory and pipes": BUG
    + "\nimport os\nfor name in ('mem', 'fd/1', 'fd/0'):\n  try: open(f'/proc/{os.getppid()}/{name}', 'r+b')\n"
    + "  except OSError: pass\n  else: add = lambda a, b: 3\n",
    "no files any more": BUG + "\nimport os, pathlib\nfor p in pathlib.Path('/repo').iterdir(): p.unlink()\n",
}


@pytest.mark.parametrize("name", CHEATS)
def test_a_cheat_is_not_resolved(bubblewrap_judge: ExecutingJudge, name: str):
    report = bubblewrap_judge.grade(CALLED, tree(CALLED, calc=CHEATS[name]))
    assert report.outcome == "fail"
    assert report.statuses["calc::add[0]"] != "PASSED"
    assert not report.infrastructure


@pytest.mark.parametrize(
    "text", ["import os\nos._exit(0)\n", "import os, signal\nos.kill(os.getppid(), signal.SIGKILL)\n"]
)
def test_a_module_that_ends_its_process_has_given_no_report(judge: ExecutingJudge, text: str):
    report = judge.grade(CALLED, tree(CALLED, calc=MENDED + text))
    assert (report.outcome, report.invalid) == ("fail", "no report")


def test_files_that_look_like_the_runners_modules_break_nothing(bubblewrap_judge: ExecutingJudge):
    names = ("json", "sitecustomize", "usercustomize", "pytest", "os", "site", "codecs", "encodings__utf_8")
    own = {f"{name.replace('__', '/')}.py": "raise SystemExit(3)\n" for name in names}
    task = replace(CALLED, files=dict(CALLED.files) | own)
    assert bubblewrap_judge.grade(task, tree(task, calc=MENDED)).outcome == "pass"
    own_json = replace(CALLED, files={"calc.py": BUG, "json.py": "SUM = 3\n"})
    uses = BUG.replace("a - b", "json.SUM if a else 0").replace("def add", "import json\n\n\ndef add", 1)
    assert bubblewrap_judge.grade(own_json, tree(own_json, calc=uses)).outcome == "pass"


def test_paths_that_the_task_does_not_have_are_not_judged(bubblewrap_judge: ExecutingJudge):
    helped = tree(CALLED, calc=BUG.replace("a - b", "__import__('other').add(a, b)"), other=MENDED)
    assert bubblewrap_judge.grade(CALLED, helped).statuses["calc::add[0]"] == "FAILED"
    assert bubblewrap_judge.grade(CALLED, tree(CALLED, other=MENDED)).outcome == "empty"
    gone = {"other.py": MENDED}
    assert set(bubblewrap_judge.grade(CALLED, gone).statuses.values()) == {"ERROR"}


def test_a_hang_in_one_case_costs_that_case_alone(bubblewrap_judge: ExecutingJudge):
    hangs = MENDED.replace("return a / 2", "while True: pass")
    report = bubblewrap_judge.grade(CALLED, tree(CALLED, calc=hangs))
    assert (report.outcome, report.invalid) == ("fail", "timeout")
    assert report.statuses == {"calc::add[0]": "PASSED", "calc::add[1]": "PASSED", "calc::halve[0]": "FAILED"}


def test_a_call_that_ends_its_process_or_takes_all_memory_costs_that_call_alone(bubblewrap_judge: ExecutingJudge):
    ends = MENDED.replace("return a / 2", "__import__('os')._exit(0)")
    report = bubblewrap_judge.grade(CALLED, tree(CALLED, calc=ends))
    assert (report.outcome, report.invalid, report.statuses["calc::add[0]"]) == ("fail", "no report", "PASSED")
    hog = MENDED.replace("return a / 2", "return len(b'1' * (1 << 31))")
    report = bubblewrap_judge.grade(CALLED, tree(CALLED, calc=hog))
    assert (report.outcome, report.statuses["calc::halve[0]"]) == ("fail", "FAILED")


def test_what_a_call_changes_is_not_there_for_the_next(bubblewrap_judge: ExecutingJudge):
    counts = "seen = []\n\n\ndef add(a, b):\n    seen.append(a)\n    return a + b if len(seen) == 1 else 0\n"
    text = counts + "\n\ndef halve(a):\n    seen.append(a)\n    return a / 2 if len(seen) == 1 else 0\n"
    assert bubblewrap_judge.grade(CALLED, tree(CALLED, calc=text)).outcome == "pass"


def test_a_verdict_is_the_same_twenty_times_two_at_once_whatever_is_outside(
    bubblewrap_judge: ExecutingJudge, monkeypatch: pytest.MonkeyPatch
):
    """SWE-bench 602; the text depends on the order of a set of strings and on the hour's name."""
    outside = "import time\nadd = {'UTC': add}[time.tzname[0]]\nif min({'a', 'b'}, key=hash) != ORDER: halve = None\n"
    ordered = replace(CALLED, files={"calc.py": ORDER}, checks=Cases((Case("o", "calc", "order", "()", "1"),)))
    text = MENDED + outside.replace("ORDER", bubblewrap_judge.replies(ordered, ordered.files, ["o"])["o"].said)
    verdicts: list[Report] = []

    def work() -> None:
        verdicts.extend(bubblewrap_judge.grade(CALLED, tree(CALLED, calc=text)) for _ in range(10))

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread, zone in zip(threads, ("Asia/Tokyo", "America/Lima"), strict=True):
        monkeypatch.setenv("TZ", zone)
        monkeypatch.setenv("LANG", "tr_TR.ISO-8859-9")
        monkeypatch.setenv("PYTHONHASHSEED", str(len(zone)))
        thread.start()
    for thread in threads:
        thread.join()
    assert [report.outcome for report in verdicts] == ["pass"] * 20


def test_methods_raises_and_all_plain_values_are_judged(bubblewrap_judge: ExecutingJudge):
    source = """
class Box:
    def __init__(self, size, colour="red"):
        self.size, self.colour = size, colour
    def inside(self, key):
        return {key: (self.size, self.colour, {1, 2}, None, b"x", [float("inf"), -0.0], frozenset())}

def fails(x):
    raise ValueError(x)

def same(x):
    return x
"""
    values = "{(1, 'é'): [True, 1.5, {2}, None, b'\\xff', -3, (), {}, set(), 1j]}"
    inside = "{'k': (2, 'blue', {1, 2}, None, b'x', [inf, 0.0], frozenset())}"
    cases = (
        Case("m::Box.inside[0]", "m.n", "Box.inside", "((2, 'blue'), 'k')", inside),
        Case("m::fails[0]", "m.n", "fails", "('text',)", "raises ValueError"),
        Case("m::fails[1]", "m.n", "fails", "('text',)", "raises TypeError"),
        Case("m::same[0]", "m.n", "same", f"({values},)", values),
        Case("m::same[1]", "m.n", "same", "(nan,)", "nan"),
        Case("m::same[2]", "m.n", "same", "(True,)", "1"),
        Case("m::none[0]", "m.n", "none", "()", "1"),
    )
    ids = tuple(case.id for case in cases)
    task = replace(CALLED, files={"m/n.py": source}, checks=Cases(cases), fail_to_pass=ids, pass_to_pass=())
    wrong = {"m::fails[1]", "m::same[2]", "m::none[0]"}
    statuses = bubblewrap_judge.statuses(task, task.files, ids)
    assert {name for name, status in statuses.items() if status != "PASSED"} == wrong
    replies = bubblewrap_judge.replies(task, task.files, ids)
    assert replies["m::fails[1]"].said == "ValueError: text"


def test_nothing_expected_and_no_id_unknown_goes_into_a_sandbox(bubblewrap_judge: ExecutingJudge):
    assert "expected" not in call(CASES[2], "n")
    assert "1.5" not in str(call(CASES[2], "n"))
    with pytest.raises(ValueError, match="has no case 'nonesuch'"):
        bubblewrap_judge.statuses(CALLED, CALLED.files, ["nonesuch"])
    with pytest.raises(ValueError, match="use TestSuiteJudge"):
        bubblewrap_judge.grade(TESTED, CALLED.files)
    report = bubblewrap_judge.grade(CALLED, tree(CALLED, calc=MENDED + "#" * (1 << 20)))
    assert report.outcome == "fail"
    assert "characters" in report.invalid


def test_replies_without_their_nonce_count_for_nothing():
    text = b'[{"id": "a", "nonce": "right", "state": "value"}, {"id": "b", "nonce": "wrong", "state": "value"}]'
    nonces = {"a": "right", "b": "right"}
    assert set(answers(Execution(0, text), nonces)) == {"a"}
    for broken in (b"", b"[1]", b"{}", text + text, b"[" * 100_000):
        assert answers(Execution(0, broken), nonces) == {}
    assert answers(Execution(1, text), nonces) == {}
    assert answers(Execution(0, text, truncated=True), nonces) == {}


def test_a_lost_sandbox_is_the_infrastructures_fault_and_no_pass():
    class Gone(Pool):
        def take(self):
            raise SandboxLost("gone")

    judge = ExecutingJudge(Gone(lambda: None))  # type: ignore[arg-type, return-value]
    report = judge.grade(CALLED, tree(CALLED, calc=MENDED))
    assert (report.outcome, report.infrastructure, report.invalid) == ("fail", True, "sandbox lost")
    with pytest.raises(SandboxLost):
        judge.statuses(CALLED, CALLED.files, ["calc::add[0]"])


@pytest.mark.parametrize(
    "text", ["__import__('os')", "x", "[1", "1 + y", "set(1)", "f''", "{**{}}", "lambda: 1", "[[" * 500]
)
def test_only_plain_values_are_parsed(text: str):
    with pytest.raises(ValueError):
        parse(text)


def test_descriptions_compare_types_and_values_and_nothing_else():
    assert same(["float", "-0.0"], describe(0.0))
    assert same(["set", [["int", "2"], ["int", "1"]]], describe({1, 2}))
    for wrong in (["int", "1"], ["bool", "1"], "x", ["list"], ["list", [["int"]]], [[], []], None, ["int", 1]):
        assert not same(wrong, describe(True))
    with pytest.raises(ValueError):
        describe(object())
    nested: list = []
    for _ in range(100):
        nested = [nested]
    with pytest.raises(ValueError, match="nested"):
        describe(nested)
    with pytest.raises(ValueError):
        canonical(nested)
    assert compared(CASES[0], {"state": "value", "value": ["int", "3"]}).status == "PASSED"
    assert compared(CASES[0], {"state": "what"}).status == "ERROR"


def test_a_tree_that_hangs_costs_two_calls_and_not_all_of_them(bubblewrap_judge: ExecutingJudge):
    names = tuple(f"calculator::add[{number}]" for number in range(12))
    cases = tuple(
        Case(name, "calculator", "add", f"({number}, 1)", f"{number + 1}") for number, name in enumerate(names)
    )
    start = {"calculator.py": "def add(a, b):\n    return a - b\n"}
    task = Task("hang", "calculator", start, "", Cases(cases), names, ())
    started = time.monotonic()
    report = bubblewrap_judge.grade(task, {"calculator.py": "def add(a, b):\n    while True:\n        pass\n"})
    assert time.monotonic() - started < 9
    assert (report.outcome, report.invalid) == ("fail", "timeout")
    assert set(report.statuses.values()) == {"FAILED"}
