"""Make software-engineering tasks: bugs put into the corpus, tried out, and counted.

python -m scripts.make_tasks [out=outputs/tasks] [count=0] [seed=0] [packages=clock,search]
    [techniques=change_operator,invert_if] [split_by=repository] [eval_share=0.2] [pairs=true]
    [several=true] [workers=2] [table=false] [candidates=12] [pairs_of_candidates=false]
python -m scripts.make_tasks TASKS.jsonl.gz [show=ID] [table=true]
python -m scripts.make_tasks INSTANCES.jsonl [kind=auto] [out=outputs/tasks]
python -m scripts.make_tasks package=NAME [tests=FOLDER] [sandbox=auto] [count=50] [split=eval]

The first writes OUT/tasks-SHA.jsonl.gz: the valid tasks, those whose bug makes a case fail, leaves
one that passes, and hangs nothing. count=0 makes one of every single bug; where a count is more
than these, pairs of them come to it. split_by=function splits train from eval by function instead.
table=true also writes OUT/tasks-SHA.npz, what each tree with one of `candidates` edits a file comes
to. The second counts the tasks of a set, or shows one (show=first takes the first). The third reads
instances of SWE-bench or SWE-smith and writes them as a set. The fourth puts bugs into an
installed pure-Python package that has tests (in it, or in FOLDER), which run in a sandbox; it needs
nothing but the standard library there.
"""

from __future__ import annotations

import gzip
import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from difflib import unified_diff
from pathlib import Path

from tqdm import tqdm

from envs.swe.sandbox.leaks import refuse_installed
from envs.swe.sandbox.providers import make_sandbox, provider
from envs.swe.tasks.candidates import Candidate, candidates
from envs.swe.tasks.generation import Harvest, Recipe, generate
from envs.swe.tasks.installed import package_tasks, package_tree
from envs.swe.tasks.instances import load_instances
from envs.swe.tasks.outcomes import OutcomeTable
from envs.swe.tasks.task import Cases, Task
from envs.swe.tasks.task_set import FORMAT, TaskSet
from foundation.checks import one_of, whole
from foundation.files import folder_for
from scripts.configuration.arguments import parse
from scripts.configuration.arguments import run as run_command

_VERDICTS = ("valid", "equivalent", "timeout", "no pass")


@dataclass(frozen=True)
class Arguments(Recipe):
    """The command line's arguments; those of `Recipe` first."""

    out: str = "outputs/tasks"
    show: str | None = None
    table: bool = False
    candidates: int = 12
    pairs_of_candidates: bool = False
    kind: str = "auto"
    package: str | None = None
    tests: str | None = None
    sandbox: str = "auto"
    split: str = "eval"


def main(command_line: Sequence[str]) -> None:
    """The command line."""
    words, arguments = parse(command_line, Arguments, __doc__)
    if len(words) > 1:
        raise ValueError(f"expected one file of tasks or instances, got {' '.join(words)}")
    whole("candidates", arguments.candidates)
    out = folder_for(arguments.out)
    if arguments.package is not None:
        tasks = TaskSet(_of_package(arguments.package, arguments))
        path = tasks.save(out)
    elif words:
        tasks, path = _read(Path(words[0]), arguments, out)
    else:
        harvest = _made(arguments)
        tasks = TaskSet(harvest.tasks).ordered(arguments.seed)
        path = tasks.save(out)
        print(verdict_table(harvest))
    _tell(tasks, path, arguments)
    if arguments.table:
        _fill(tasks, path, arguments)


def summary(tasks: Iterable[Task]) -> str:
    """Markdown: tasks by repository and technique, and how many are for evaluation."""
    tasks = list(tasks)
    techniques = sorted({_technique(task) for task in tasks})
    counts = Counter((task.repo, _technique(task)) for task in tasks)
    evals = Counter(task.repo for task in tasks if task.split == "eval")
    rows = {
        repo: [counts[repo, technique] for technique in techniques] for repo in sorted({task.repo for task in tasks})
    }
    lines = [f"| repository | {' | '.join(techniques)} | all | eval |", "| --- |" + " ---: |" * (len(techniques) + 2)]
    lines += [_line(repo, [*row, sum(row), evals[repo]]) for repo, row in rows.items()]
    totals = [sum(column) for column in zip(*rows.values(), strict=True)]
    return "\n".join([*lines, _line("all", [*totals, len(tasks), evals.total()])])


def verdict_table(harvest: Harvest) -> str:
    """Markdown: what became of the mutants, by technique."""
    counts: Counter[tuple[str, str]] = Counter()
    for (_, technique, verdict), count in harvest.verdicts.items():
        counts[technique, verdict] += count
    lines = ["| technique | " + " | ".join(_VERDICTS) + " |", "| --- |" + " ---: |" * len(_VERDICTS)]
    for technique in sorted({technique for technique, _ in counts}):
        lines.append(_line(technique, [counts[technique, verdict] for verdict in _VERDICTS]))
    return "\n".join(lines)


def shown(task: Task) -> str:
    """A task in words, with what mends it: for people."""
    parts = [
        f"{task.id} ({task.split})",
        task.statement,
        f"fails: {len(task.fail_to_pass)}, passes: {len(task.pass_to_pass)}, visible: {len(task.visible)}",
        "\n".join(f"  {key}" for key in task.fail_to_pass[:5]),
        task.patch or _difference(task.files, task.reference),
    ]
    return "\n\n".join(part.strip("\n") for part in parts if part)


def _made(arguments: Arguments) -> Harvest:
    recipe = Recipe(**{field.name: getattr(arguments, field.name) for field in fields(Recipe)})
    harvest = generate(recipe, lambda line: print(line, file=sys.stderr, flush=True))
    if not harvest.tasks:
        raise ValueError("no mutant is a task; give more techniques= or packages=")
    if arguments.count > len(harvest.tasks):
        print(f"{len(harvest.tasks)} tasks, no more were found; give more packages= or techniques=", file=sys.stderr)
    return harvest


def _of_package(name: str, arguments: Arguments) -> tuple[Task, ...]:
    """Bugs in an installed package, tried out in a sandbox."""
    one_of("split", arguments.split, ("train", "eval"))
    tree = package_tree(name, arguments.tests)
    sandbox = make_sandbox(provider(arguments.sandbox))
    try:
        refuse_installed(sandbox, list(tree))
        found = package_tasks(
            name, tree, sandbox, arguments.count or 50, arguments.seed, arguments.techniques, split=arguments.split
        )
    finally:
        sandbox.close()
    if not found:
        raise ValueError(f"no mutant of {name} is a task: no test notices, or all break; give other techniques=")
    return found


def _read(path: Path, arguments: Arguments, out: Path) -> tuple[TaskSet, Path]:
    """A task set, or one made of instances and written."""
    if path.is_file() and FORMAT in _beginning(path):
        return TaskSet.load(path), path
    tasks = TaskSet(load_instances(path, arguments.kind))
    return tasks, tasks.save(out)


def _beginning(path: Path) -> str:
    try:
        return _first_line(path)
    except (OSError, EOFError):
        return FORMAT if path.name.startswith("tasks-") else ""


def _first_line(path: Path) -> str:
    with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
        return file.readline(1000).decode(errors="replace")


def _tell(tasks: TaskSet, path: Path, arguments: Arguments) -> None:
    if arguments.show is not None:
        print(shown(tasks.tasks[0] if arguments.show == "first" else _named(tasks, arguments.show)))
    else:
        print(summary(tasks))
        print(path)


def _named(tasks: TaskSet, name: str) -> Task:
    try:
        return tasks[name]
    except KeyError as error:
        raise ValueError(str(error.args[0])) from error


def _fill(tasks: TaskSet, path: Path, arguments: Arguments) -> None:
    """Write the outcome table beside the task set."""
    if strange := [task.id for task in tasks if not isinstance(task.checks, Cases) or task.bug is None]:
        raise ValueError(f"table=true is for tasks of the corpus alone, and {strange[0]} is none; leave it out")
    choices = [(task, offered(task, arguments)) for task in tqdm(tasks, "candidates", disable=None)]
    table = OutcomeTable()
    with tqdm(desc="trees", disable=None) as bar:
        table.complete_all(choices, arguments.pairs_of_candidates, arguments.workers, progress=lambda: bar.update())
    place = table.save(path.with_name(path.name.split(".")[0] + ".npz"))
    counts = [len(found) for _, found in choices]
    print(f"{place}: {len(table)} trees, {sum(counts) / max(1, len(counts)):.1f} candidates a task")


def offered(task: Task, arguments: Arguments) -> tuple[Candidate, ...]:
    """The candidates of all files of a task."""
    found = [candidates(task, path, arguments.candidates, arguments.seed) for path in sorted(task.files)]
    return tuple(candidate for of_file in found for candidate in of_file)


def _technique(task: Task) -> str:
    return task.bug.technique if task.bug is not None else "instance"


def _line(name: str, numbers: Sequence[int]) -> str:
    return f"| {name} | {' | '.join(map(str, numbers))} |"


def _difference(files: Mapping[str, str], reference: Mapping[str, str]) -> str:
    """The mending diff."""
    lines: list[str] = []
    for path, text in reference.items():
        before, after = files[path].splitlines(keepends=True), text.splitlines(keepends=True)
        lines += unified_diff(before, after, f"a/{path}", f"b/{path}")
    return "".join(lines)


if __name__ == "__main__":
    run_command(main)
