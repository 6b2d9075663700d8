"""Tasks: valid, told without the diff, split so that nothing leaks, the same by seed."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Mapping

import pytest

from envs.swe.grading.report import Status
from envs.swe.tasks.candidates import TECHNIQUES, applied, candidates, difference, distances, right_candidate
from envs.swe.tasks.evaluation import evaluate_all
from envs.swe.tasks.generation import Harvest, Recipe, generate, group, mutants, splits
from envs.swe.tasks.repositories import repository
from envs.swe.tasks.statement import call, statement
from envs.swe.tasks.task import Case, Task
from envs.swe.tasks.validation import split_ids, steady, verdict


@pytest.fixture(scope="module")
def harvest() -> Harvest:
    return generate(Recipe(packages=("prose", "stores"), count=40, eval_share=0.5, workers=1))


def test_the_asked_number_of_tasks_is_made_and_every_one_is_valid(harvest: Harvest) -> None:
    assert len(harvest.tasks) == len({task.id for task in harvest.tasks}) == 40
    for task in harvest.tasks:
        assert task.fail_to_pass
        assert task.pass_to_pass
        assert not set(task.fail_to_pass) & set(task.pass_to_pass)
        assert set(task.visible) & set(task.fail_to_pass)
        assert set(task.visible) <= {*task.fail_to_pass, *task.pass_to_pass}
        share = len(task.visible) / (len(task.fail_to_pass) + len(task.pass_to_pass))
        assert 0.4 < share < 0.6
        assert task.id.startswith(f"{task.repo}.")


def test_a_task_fails_as_it_says_and_its_reference_mends_it(harvest: Harvest) -> None:
    for repo in ("prose", "stores"):
        tasks = [task for task in harvest.tasks if task.repo == repo][:8]
        broken = evaluate_all(repository(repo), [task.files for task in tasks])
        mended = evaluate_all(repository(repo), [{**task.files, **task.reference} for task in tasks])
        for task, before, after in zip(tasks, broken, mended, strict=True):
            assert all(before.statuses[key] != "PASSED" for key in task.fail_to_pass)
            assert all(before.statuses[key] == "PASSED" for key in task.pass_to_pass)
            assert set(after.statuses.values()) == {"PASSED"}


def test_the_statement_tells_of_visible_failing_cases_and_not_of_the_bug(harvest: Harvest) -> None:
    for task in harvest.tasks:
        assert task.bug is not None
        assert task.bug.technique not in task.statement
        assert f"line {task.bug.line}" not in task.statement
        told = [case for case in task.checks.cases if f"`{call(case)}`" in task.statement]  # type: ignore[union-attr]
        assert told
        assert {case.id for case in told} & set(task.visible) & set(task.fail_to_pass)


def test_the_same_recipe_gives_the_same_tasks_and_another_seed_others(harvest: Harvest) -> None:
    again = generate(Recipe(packages=("prose", "stores"), count=40, eval_share=0.5, workers=2))
    assert again.tasks == harvest.tasks
    assert again.verdicts == harvest.verdicts
    other = generate(Recipe(packages=("prose",), techniques=("remove_if",), count=4, seed=1, workers=1))
    same = generate(Recipe(packages=("prose",), techniques=("remove_if",), count=4, seed=2, workers=1))
    assert {task.id for task in other.tasks} != {task.id for task in same.tasks}


def test_no_repository_is_in_both_splits(harvest: Harvest) -> None:
    repos = defaultdict(set)
    for task in harvest.tasks:
        repos[task.split].add(task.repo)
    assert len(repos["train"]) == len(repos["eval"]) == 1
    assert repos["train"] != repos["eval"]


def test_no_function_is_in_both_splits_and_a_class_goes_whole_pairs_included() -> None:
    recipe = Recipe(("stores",), ("remove_if", "remove_loop"), count=70, split_by="function", eval_share=0.4, workers=1)
    made = generate(recipe)
    assert any(task.bug and task.bug.technique.startswith("combine") for task in made.tasks)
    places = defaultdict(set)
    for task in made.tasks:
        for path, text in task.reference.items():
            before = ast.parse(task.files[path]).body
            after = {ast.dump(node) for node in ast.parse(text).body}
            changed = [node for node in before if ast.dump(node) not in after]
            places[task.split] |= {(path, getattr(node, "name", "")) for node in changed}
    assert places["train"]
    assert places["eval"]
    assert not places["train"] & places["eval"]


def test_splits_have_both_parts_wherever_there_are_two_groups() -> None:
    assert sorted(splits(["a", "b"], 0.01, 0).values()) == ["eval", "train"]
    assert sorted(splits(["a", "b"], 0.99, 0).values()) == ["eval", "train"]
    assert set(splits(["a"], 0.2, 0).values()) == {"train"}
    assert set(splits(["a", "b"], 0.0, 0).values()) == {"train"}
    assert set(splits(["a", "b"], 1.0, 0).values()) == {"eval"}
    assert splits(["b", "a", "c"], 0.3, 5) == splits(["a", "b", "c"], 0.3, 5)


def test_a_mutant_of_two_functions_has_no_group_of_its_own() -> None:
    found = list(mutants(repository("stores"), Recipe(several=False)))
    assert all(group(mutant, "function").startswith("stores/") for mutant in found)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"packages": ("clok",)}, "no repository 'clok'"),
        ({"techniques": ("change",)}, "no technique 'change'"),
        ({"count": -1}, "count=-1"),
        ({"split_by": "mutant"}, "split_by='mutant'"),
        ({"eval_share": 1.5}, "eval_share=1.5"),
        ({"workers": 0}, "workers=0"),
    ],
)
def test_a_recipe_that_cannot_work_is_refused(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Recipe(**arguments)  # type: ignore[arg-type]


def test_verdicts_follow_the_stable_ids_alone() -> None:
    ids = ("a", "b")
    good: Mapping[str, Status] = {"a": "PASSED", "b": "XFAIL", "flaky": "FAILED"}
    assert verdict(good, ids, timed_out=False) == "equivalent"
    assert verdict({"a": "PASSED", "b": "SKIPPED"}, ids, timed_out=False) == "valid"
    assert verdict({"a": "PASSED"}, ids, timed_out=False) == "valid", "what is missing has not passed"
    assert verdict({"a": "ERROR", "b": "FAILED"}, ids, timed_out=False) == "no pass"
    assert verdict({"a": "PASSED", "b": "FAILED"}, ids, timed_out=True) == "timeout"
    assert steady([good, {"a": "PASSED", "b": "PASSED", "flaky": "PASSED"}]) == ("a", "b")
    assert split_ids({"a": "FAILED", "b": "PASSED"}, ids, "0", share=0.0).visible == ("a",)


def test_statements_say_what_came_and_what_was_expected() -> None:
    case = Case("m::Box.area[0]", "m", "Box.area", "((1, 2), 'x')", "raises ValueError")
    text = statement([case], {case.id: "[1]"})
    assert "`Box(1, 2).area('x')` returned `[1]`, expected it to raise ValueError." in text
    case = Case("m::f[0]", "m", "f", "(3,)", "4")
    assert "`f(3)` raised KeyError: 'a', expected `4`." in statement([case], {case.id: "raises KeyError: 'a'"})
    assert "does not return" in statement([case], {case.id: None})
    assert "characters left out" in statement([case], {case.id: "9" * 1000})


def test_the_right_edit_is_among_the_candidates_once_or_never(harvest: Harvest) -> None:
    for task in harvest.tasks[:8]:
        for path in task.files:
            found = candidates(task, path, 8, seed=0)
            assert len({one.text for one in found}) == len(found) <= 8
            assert all(one.technique in TECHNIQUES and one.text != task.files[path] for one in found)
            rights = [one for one in found if one.text == task.reference.get(path)]
            assert len(rights) == (path in task.reference)
            without = candidates(task, path, 8, seed=0, fix=False)
            assert task.reference.get(path) not in [one.text for one in without]
            for one in found:
                ast.parse(one.text)


def test_candidates_are_shuffled_by_task_and_seed_and_near_ones_come_first(harvest: Harvest) -> None:
    task = harvest.tasks[0]
    path = next(iter(task.reference))
    assert candidates(task, path, 12, 3) == candidates(task, path, 12, 3)
    assert candidates(task, path, 12, 3) != candidates(task, path, 12, 4)
    places = {
        candidates(one, next(iter(one.reference)), 6, 0).index(right)
        for one in harvest.tasks[:12]
        if (right := right_candidate(one, next(iter(one.reference)))) is not None
    }
    assert len(places) > 2, "the right one stands at no fixed place"
    few, many = candidates(task, path, 3, 0, fix=False), candidates(task, path, 10_000, 0, fix=False)
    assert max(one.distance for one in few) <= max(one.distance for one in many)
    assert min(one.distance for one in few) == 0
    assert len(many) < 10_000
    assert candidates(task, path, 0, 0) == ()
    assert candidates(task, path, 1, 0) == (right_candidate(task, path),)


def test_a_bug_that_no_inverse_undoes_has_several_candidates_of_its_kind() -> None:
    made = generate(Recipe(("stores",), ("remove_if",), count=5, pairs=False, several=False, workers=1))
    for task in made.tasks:
        path = next(iter(task.reference))
        kinds = [one.technique for one in candidates(task, path, 30, 0)]
        assert kinds.count("restore_lines") > 1, "or its kind would tell"


def test_two_candidates_are_applied_together_where_they_do_not_touch(harvest: Harvest) -> None:
    task = next(task for task in harvest.tasks if len(task.reference) == 1)
    path = next(iter(task.reference))
    found = candidates(task, path, 6, 0)
    assert applied(task, []) == task.files
    assert applied(task, [found[0]]) == {**task.files, path: found[0].text}
    assert applied(task, [found[0], found[0]]) is None
    other = next(p for p in task.files if p != path)
    far = candidates(task, other, 1, 0)[0]
    assert applied(task, [found[0], far]) == {**task.files, path: found[0].text, other: far.text}
    for one in found[1:]:
        both = applied(task, [found[0], one])
        assert both is None or both[path] not in (found[0].text, one.text)


def test_distances_follow_calls(harvest: Harvest) -> None:
    task = harvest.tasks[0]
    reach = distances(task)
    assert 0 in reach.values()
    assert all(path in task.files for path, _ in reach)


def test_a_file_that_the_task_has_not_is_named(harvest: Harvest) -> None:
    task: Task = harvest.tasks[0]
    with pytest.raises(ValueError, match="has no file 'x"):
        candidates(task, "x.py", 3, 0)


def test_differences_do_not_cut_letters() -> None:
    for before, after in (("aé", "aè"), ("", "x"), ("aa", "a"), ("ab\n", "ab\nc\n"), ("😀", "😁"), ("same", "same")):
        edit = difference(before, after)
        data = before.encode()
        assert data[: edit.start] + edit.text.encode() + data[edit.end :] == after.encode()
        data[: edit.start].decode()
