"""Task sets and outcome tables are saved whole, and say what is wrong with a damaged file."""

from __future__ import annotations

import gzip
import time
from dataclasses import replace
from pathlib import Path

import pytest

from envs.swe.tasks.candidates import Candidate, candidates, right_candidate
from envs.swe.tasks.generation import Recipe, generate
from envs.swe.tasks.outcomes import NotInTable, OutcomeTable, TableJudge, reachable
from envs.swe.tasks.task import Task, TestSuite, tree_hash
from envs.swe.tasks.task_set import TaskSet


@pytest.fixture(scope="module")
def tasks() -> TaskSet:
    recipe = Recipe(("prose", "stores"), ("change_operator", "remove_if"), count=12, eval_share=0.5, workers=1)
    return TaskSet(generate(recipe).tasks)


def offered(task: Task, count: int = 4) -> tuple[Candidate, ...]:
    return tuple(one for path in task.files for one in candidates(task, path, count, 0))


@pytest.fixture(scope="module")
def table(tasks: TaskSet) -> OutcomeTable:
    made = OutcomeTable()
    made.complete_all([(task, offered(task)) for task in tasks])
    return made


@pytest.mark.parametrize("name", ["set.jsonl", "set.jsonl.gz", ""])
def test_a_set_comes_back_as_it_was_saved(tasks: TaskSet, tmp_path: Path, name: str) -> None:
    suite = Task("o__r-1", "o/r", {}, "é\x85\u2028", TestSuite(("pytest",), "d", ("t.py",)), ("t::a",), (), patch="p")
    both = TaskSet((*tasks.tasks, suite))
    path = both.save(tmp_path / name)
    assert TaskSet.load(path) == both
    if not name:
        assert path.name == f"tasks-{both.sha[:12]}.jsonl.gz"
    content = path.read_bytes()
    assert both.save(tmp_path / name).read_bytes() == content, "nothing of the hour is in it"


def test_texts_and_cases_that_tasks_share_are_stored_once(tasks: TaskSet, tmp_path: Path) -> None:
    path = tasks.save(tmp_path / "set.jsonl")
    assert path.read_text().count("MCMXCIV is") <= 1
    loaded = TaskSet.load(path).tasks
    assert len({id(task.checks) for task in loaded}) <= 2


@pytest.mark.parametrize("harm", ["cut", "line", "letter", "version", "foreign", "empty", "gzip"])
def test_a_damaged_set_is_refused_with_its_name(tasks: TaskSet, tmp_path: Path, harm: str) -> None:
    path = tasks.save(tmp_path / "set.jsonl")
    lines = path.read_text().splitlines(keepends=True)
    if harm == "gzip":
        path = tmp_path / "set.jsonl.gz"
        path.write_bytes(gzip.compress("".join(lines).encode())[:-40])
    else:
        harmed = {
            "cut": lines[:-1],
            "line": [*lines[:3], *lines[4:]],
            "letter": [*lines[:-1], lines[-1].replace("train", "trail").replace("eval", "evil")],
            "version": [lines[0].replace('"version": 1', '"version": 9'), *lines[1:]],
            "foreign": ['{"instance_id": 1}\n'],
            "empty": [],
        }[harm]
        path.write_text("".join(harmed))
    with pytest.raises(ValueError, match=r"set\.jsonl.* (damaged|version 9|no task set)"):
        TaskSet.load(path)


def test_subsets_and_orders(tasks: TaskSet) -> None:
    train, evaluation = tasks.subset("train"), tasks.subset("eval")
    assert len(train) + len(evaluation) == len(tasks)
    with pytest.raises(ValueError, match="no task is of the split 'test'; there are those of: eval, train"):
        tasks.subset("test")
    turned = TaskSet(tasks.tasks[::-1])
    assert turned.ordered(3).tasks == tasks.ordered(3).tasks != tasks.ordered(4).tasks
    with pytest.raises(ValueError, match="two tasks are called"):
        TaskSet((tasks.tasks[0], tasks.tasks[0]))
    with pytest.raises(KeyError, match="no task 'x'"):
        tasks["x"]


def test_the_table_knows_every_tree_that_a_candidate_reaches(tasks: TaskSet, table: OutcomeTable) -> None:
    judge = TableJudge(table)
    for task in tasks:
        start = judge.grade(task, task.files)
        assert start.outcome == "empty"
        assert all(start.statuses[key] != "PASSED" for key in task.fail_to_pass)
        [path] = task.reference
        right = right_candidate(task, path)
        assert right is not None
        assert judge.grade(task, {**task.files, path: right.text}).outcome == "pass"
        wrong = [c for c in offered(task) if c.text != right.text]
        grades = [judge.grade(task, {**task.files, one.path: one.text}) for one in wrong]
        assert {grade.outcome for grade in grades} <= {"fail", "pass"}
        assert "fail" in {grade.outcome for grade in grades}


def test_pairs_are_tried_out_where_asked(tasks: TaskSet) -> None:
    task = next(iter(tasks))
    found = offered(task, 2)
    made = OutcomeTable()
    assert made.complete(task, found, pairs=True) == len({tree_hash(t) for t in reachable(task, found, pairs=True)})
    assert made.complete(task, found, pairs=True) == 0, "nothing is tried twice"
    assert len(made) > len(found) + 1


def test_an_unknown_tree_or_test_is_an_error_and_nothing_is_run(tasks: TaskSet, table: OutcomeTable) -> None:
    judge = TableJudge(table)
    task = next(iter(tasks))
    with pytest.raises(NotInTable, match=r"no row for the tree .* judge in a sandbox"):
        judge.statuses(task, {**task.files, "numerals.py": "raise SystemExit"}, task.visible)
    with pytest.raises(NotInTable, match="has no test"):
        judge.statuses(task, task.files, ["numerals::nothing[0]"])
    with pytest.raises(KeyError, match="knows nothing of other"):
        judge.grade(replace(task, id="other"), task.files)


def test_what_is_not_of_the_corpus_is_not_run(tasks: TaskSet) -> None:
    task = next(iter(tasks))
    for strange in (replace(task, checks=TestSuite(("true",))), replace(task, bug=None)):
        with pytest.raises(ValueError, match="not of the corpus"):
            OutcomeTable().complete(strange, ())


def test_a_table_comes_back_as_it_was_saved_and_damage_is_named(
    table: OutcomeTable, tasks: TaskSet, tmp_path: Path
) -> None:
    path = table.save(tmp_path / "table.npz")
    loaded = OutcomeTable.load(path)
    assert loaded._rows == table._rows
    assert TableJudge(loaded).grade(tasks.tasks[0], tasks.tasks[0].files).outcome == "empty"
    content = path.read_bytes()
    for harmed in (content[:-100], b"", b"PK\x03\x04" + content[4:200]):
        path.write_bytes(harmed)
        with pytest.raises(ValueError, match=r"table\.npz is"):
            OutcomeTable.load(path)
    with pytest.raises(FileNotFoundError):
        OutcomeTable.load(tmp_path / "none.npz")
    assert len(OutcomeTable.load(OutcomeTable().save(tmp_path / "empty.npz"))) == 0


def test_a_lookup_takes_microseconds(table: OutcomeTable, tasks: TaskSet) -> None:
    judge, task = TableJudge(table), tasks.tasks[0]
    judge.statuses(task, task.files, task.visible[:2])
    started = time.perf_counter()
    for _ in range(200):
        judge.statuses(task, task.files, task.visible[:2])
    assert (time.perf_counter() - started) / 200 < 1e-3, "about 10 µs, with room for a busy machine"
