"""What `run_tests` says: calls and results of visible cases."""

from __future__ import annotations

from dataclasses import replace

from envs.swe.text.env import SweTextEnv
from tests.envs.swe.text.conftest import Make
from tests.envs.swe.text.repository import TASK


def test_a_failing_case_is_told_as_a_call_and_what_it_came_to(env: SweTextEnv):
    assert env.step("run_tests")[0] == "1 of 2 tests passed\nFAILED calc::add[0]: add(1, 2) came to -1, expected 3"
    assert env.step("run_tests calc::add[1]")[0] == "1 of 1 tests passed\nPASSED calc::add[1]"


def test_what_is_raised_and_what_does_not_import_is_told(env: SweTextEnv):
    env.step("open calc.py")
    env.step("edit 2:2\n    raise KeyError(a)\nend_of_edit")
    assert "add(1, 2) came to KeyError: 1, expected 3" in env.step("run_tests")[0]
    env.step("edit 1:1\nimport nonesuch\ndef add(a, b):\nend_of_edit")
    text = env.step("run_tests")[0]
    assert text.startswith("0 of 2 tests passed\nERROR calc::add[0]: add(1, 2) came to ModuleNotFoundError")


def test_a_case_that_should_raise_says_so(make: Make):
    env = make(replace(TASK, visible=("calc::add[3]",)))
    env.reset(seed=0)
    env.step("open calc.py")
    env.step("edit 2:2\n    return 0\nend_of_edit")
    assert "add(None, 1) came to 0, expected it to raise TypeError" in env.step("run_tests")[0]


def test_a_case_that_never_ends_is_told(env: SweTextEnv):
    env.step("open calc.py")
    env.step("edit 2:2\n    while True: pass\nend_of_edit")
    assert "came to it did not end in time" in env.step("run_tests calc::add[0]")[0]


def test_a_task_without_visible_tests_says_what_to_do(make: Make):
    env = make(replace(TASK, visible=()))
    env.reset(seed=0)
    assert "with bash" in env.step("run_tests")[0]
