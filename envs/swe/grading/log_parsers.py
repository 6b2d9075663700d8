"""What test runners print, as statuses."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from envs.swe.grading.report import Status

Statuses = dict[str, Status]

PYTEST_WORDS: Mapping[str, Status] = {
    "PASSED": "PASSED",
    "FAILED": "FAILED",
    "ERROR": "ERROR",
    "SKIPPED": "SKIPPED",
    "XFAIL": "XFAIL",
    "XPASS": "PASSED",
}
UNITTEST_WORDS: Mapping[str, Status] = {
    "ok": "PASSED",
    "FAIL": "FAILED",
    "ERROR": "ERROR",
    "skipped": "SKIPPED",
    "expected failure": "XFAIL",
    "unexpected success": "FAILED",
}
WORSE = ("PASSED", "XFAIL", "SKIPPED", "FAILED", "ERROR")
"""A test that is named twice has the worse status: it may pass and then fail in its teardown."""


def parse_pytest(log: str) -> Statuses:
    """Lines of `-v` ("id PASSED [ 50%]") and of the summary of `-rA` ("PASSED id").

    >>> parse_pytest("FAILED t.py::a - assert 1 - 1\\nSKIPPED [1] t.py: why\\nt.py::b SKIPPED [9%]")
    {'t.py::a': 'FAILED', 't.py::b': 'SKIPPED'}
    """
    words = "|".join(PYTEST_WORDS)
    statuses: Statuses = {}
    for line in log.splitlines():
        if match := re.match(rf"({words}) (?!\[\d+\] )(.+)", line):
            _note(statuses, match[2].split(" - ")[0].strip(), PYTEST_WORDS[match[1]])
        elif match := re.match(rf"(\S.*::.*?) ({words})(?: \(.*\))?\s+\[ *\d+%\]$", line):
            _note(statuses, match[1], PYTEST_WORDS[match[2]])
    return statuses


def parse_unittest(log: str) -> Statuses:
    """Lines of `python -m unittest -v`: "test_a (module.Case.test_a) ... ok".

    >>> parse_unittest("test_a (m.C.test_a)\\nWhat for. ... ok\\ntest_b (m.C.test_b) ... FAIL")
    {'test_a (m.C.test_a)': 'PASSED', 'test_b (m.C.test_b)': 'FAILED'}
    """
    statuses: Statuses = {}
    name = ""
    for line in log.splitlines():
        if match := re.match(r"(\w+ \([\w.]+\))(.*)", line):
            name, line = match[1], match[2]
        if name and (match := re.search(rf"(?:^| \.\.\. )({'|'.join(UNITTEST_WORDS)})(?: ['\"].*)?$", line)):
            _note(statuses, name, UNITTEST_WORDS[match[1]])
            name = ""
    return statuses


PARSERS: Mapping[str, Callable[[str], Statuses]] = {"pytest": parse_pytest, "unittest": parse_unittest}


def status_of(name: str, statuses: Mapping[str, Status]) -> Status:
    """Of a test by its id, or by an id that is cut inside its [...], if all that it can mean agree.

    >>> status_of("t::a[x", {"t::a[x1]": "PASSED", "t::a[x2]": "PASSED", "t::b": "FAILED"})
    'PASSED'
    >>> status_of("t::a[x", {"t::a[x1]": "PASSED", "t::a[x2]": "FAILED"})
    'MISSING'
    """
    if name in statuses:
        return statuses[name]
    if "[" not in name or name.endswith("]"):
        return "MISSING"
    found = {status for other, status in statuses.items() if other.startswith(name)}
    return found.pop() if len(found) == 1 else "MISSING"


def _note(statuses: Statuses, name: str, status: Status) -> None:
    if name not in statuses or WORSE.index(status) > WORSE.index(statuses[name]):
        statuses[name] = status
