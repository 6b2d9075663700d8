"""Trees of the corpus are tried out within limits, and compared by type and value."""

from __future__ import annotations

import time
from collections import Counter

import pytest

from envs.swe.tasks.evaluation import Evaluation, Evaluator, TrialLimits, evaluate_all
from envs.swe.tasks.repositories import repositories, repository

PROSE = repository("prose")


def tried(old: str, new: str, **arguments: int) -> Evaluation:
    """prose with a change in numerals.py."""
    text = PROSE.files["numerals.py"]
    assert text.count(old) == 1
    [found] = evaluate_all(PROSE, [{**PROSE.files, "numerals.py": text.replace(old, new)}], **arguments)
    return found


def of(found: Evaluation, function: str) -> Counter[str]:
    return Counter(status for key, status in found.statuses.items() if f"::{function}[" in key)


def test_every_case_of_the_corpus_passes_on_the_corpus() -> None:
    for one in repositories().values():
        [found] = evaluate_all(one, [one.files])
        assert set(found.statuses.values()) == {"PASSED"}, one.name
        assert not found.timed_out


def test_a_bug_fails_its_cases_and_no_others() -> None:
    found = tried("return sign + mark.join(reversed(parts))", "return mark.join(reversed(parts))")
    assert of(found, "grouped")["FAILED"] == 2
    assert of(found, "to_roman") == {"PASSED": 14}
    assert found.results["numerals::grouped[4]"] == "'1,234'"


def test_an_endless_loop_is_cut_and_the_next_case_runs() -> None:
    started = time.monotonic()
    found = tried("            number -= value\n", "")
    assert time.monotonic() - started < 10
    assert found.timed_out
    assert found.results["numerals::to_roman[1]"] is None
    assert found.statuses["numerals::to_roman[1]"] == "FAILED"
    assert of(found, "break_lines")["PASSED"] == 0, "the cases of this module come first"
    assert of(found, "grouped")["MISSING"] > 0, "after three the rest is not run"


def test_memory_is_bounded() -> None:
    found = tried("return sign + mark.join(reversed(parts))", "return 'x' * 10**10")
    assert not found.killed
    assert "raises MemoryError" in str(found.results["numerals::grouped[0]"])
    assert of(found, "to_roman") == {"PASSED": 14}


def test_a_loop_in_c_that_hears_no_signal_is_ended_from_without() -> None:
    text = PROSE.files["numerals.py"].replace("return sign + mark.join(reversed(parts))", "return sum(range(10**13))")
    limits = TrialLimits(tree_seconds=1, wall_seconds=5)
    with Evaluator(PROSE, limits) as evaluator:
        hung = evaluator.evaluate({**PROSE.files, "numerals.py": text})
        assert hung.killed
        assert hung.timed_out
        assert set(hung.statuses.values()) == {"MISSING"}
        assert set(evaluator.evaluate(PROSE.files).statuses.values()) == {"PASSED"}, "a new process goes on"


def test_an_object_with_a_lying_equality_does_not_pass() -> None:
    lie = "class Liar(str):\n        __eq__ = lambda self, other: True\n    return Liar('1,234,567')"
    found = tried("    return sign + mark.join(reversed(parts))", "    " + lie)
    assert of(found, "grouped") == {"FAILED": 10}
    assert found.results["numerals::grouped[0]"] == "raises TypeError: Liar is no plain value"


def test_a_bool_is_no_number_and_a_list_no_tuple() -> None:
    found = tried("        return False\n    return True", "        return 0\n    return 1")
    assert of(found, "is_roman") == {"FAILED": 8}


def test_a_module_that_does_not_import_is_an_error_of_its_cases_alone() -> None:
    found = tried("ROMAN = [", "ROMAN = nothing[")
    assert set(of(found, "to_roman")) == {"ERROR"}
    assert set(of(found, "justify")) == {"PASSED"}
    assert "no module: NameError" in str(found.results["numerals::to_roman[0]"])


def test_syntax_errors_and_exits_are_contained() -> None:
    assert set(tried("ROMAN = [", "ROMAN = [[").statuses.values()) == {"ERROR"}
    found = tried("    return sign + mark.join(reversed(parts))", "    raise SystemExit(0)")
    assert of(found, "grouped") == {"FAILED": 10}


@pytest.mark.parametrize("name", ["open('/etc/passwd').read()", "__import__('os').getcwd()", "eval('1')"])
def test_names_that_reach_the_machine_are_not_there(name: str) -> None:
    found = tried("    return sign + mark.join(reversed(parts))", f"    return str({name})")
    assert of(found, "grouped") == {"FAILED": 10}
    assert str(found.results["numerals::grouped[0]"]).startswith(("raises NameError", "raises ModuleNotFoundError"))


def test_a_module_that_another_imports_is_the_changed_one() -> None:
    arithmetic = repository("arithmetic")
    changed = arithmetic.files["primes.py"].replace(
        "first, second = second, first % second", "first, second = second, 0"
    )
    [found] = evaluate_all(arithmetic, [{**arithmetic.files, "primes.py": changed}])
    assert any(s == "FAILED" for key, s in found.statuses.items() if key.startswith("matrices::solve"))


def test_nothing_but_trees_of_the_corpus_is_run() -> None:
    with pytest.raises(ValueError, match="give anything else to a sandbox"):
        evaluate_all(PROSE, [{**PROSE.files, "more.py": "x = 1"}])


def test_results_come_in_the_order_of_the_trees_whatever_the_workers() -> None:
    text = PROSE.files["numerals.py"]
    trees = [{**PROSE.files, "numerals.py": text.replace('mark=","', f'mark="{mark}"')} for mark in ",;.:"]
    found = evaluate_all(PROSE, trees, workers=2)
    assert [str(one.results["numerals::grouped[0]"])[2] for one in found] == [",", ";", ".", ":"]
