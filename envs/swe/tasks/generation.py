"""Validated tasks of the corpus: bugs put in, tried out, kept where some cases fail and some pass.

The procedure is SWE-smith's (arXiv 2504.21798): every technique at every site, then pairs of what
was found valid. Splits are by repository or by function, never by mutant, so that no bug of the
evaluation stands in a function that was trained on.
"""

from __future__ import annotations

import functools
import hashlib
import itertools
import random
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from envs.swe.tasks.evaluation import Evaluation, evaluate_all
from envs.swe.tasks.mutations import Mutation, chosen, combined, sampled, single
from envs.swe.tasks.repositories import Repository, repositories, repository
from envs.swe.tasks.source import Source
from envs.swe.tasks.statement import statement
from envs.swe.tasks.task import Bug, Task, tree_hash
from envs.swe.tasks.validation import by_hash, split_ids, stable, verdict
from foundation.checks import number, one_of, whole

SPLITS = ("repository", "function")
_CHUNK = 400  # mutants between looks at how many are valid
_TRIES = 20  # pairs that are drawn for each that is still wanted, at most


@dataclass(frozen=True)
class Recipe:
    """What tasks are made of.

    Attributes:
        packages: repositories of the corpus; none means all.
        techniques: see `mutations`; none means all thirteen.
        count: how many valid tasks at most; 0 for one of every valid single bug.
        seed: of everything that is drawn.
        split_by: "repository" or "function": what train and eval do not share.
        eval_share: of these that go to eval.
        pairs: where single bugs do not come to `count`, pairs of valid ones of a repository do.
        several: also mutants of several sites at once, by the techniques' likelihoods.
        workers: processes that try mutants out.
    """

    packages: tuple[str, ...] = ()
    techniques: tuple[str, ...] = ()
    count: int = 0
    seed: int = 0
    split_by: str = "repository"
    eval_share: float = 0.2
    pairs: bool = True
    several: bool = True
    workers: int = 2

    def __post_init__(self) -> None:
        for name in self.packages:
            repository(name)
        chosen(self.techniques)
        whole("count", self.count, least=0)
        whole("workers", self.workers)
        one_of("split_by", self.split_by, SPLITS)
        number("eval_share", self.eval_share, least=0, most=1)


@dataclass(frozen=True)
class Harvest:
    """What was made.

    Attributes:
        tasks: the valid ones.
        verdicts: (repository, technique, verdict) -> how many mutants.
    """

    tasks: tuple[Task, ...]
    verdicts: Counter[tuple[str, str, str]] = field(default_factory=Counter)


@dataclass(frozen=True)
class Mutant:
    """A repository with a bug: one mutation a file."""

    repository: Repository
    mutations: tuple[tuple[str, Mutation], ...]

    @property
    def tree(self) -> dict[str, str]:
        return {**self.repository.files, **{path: mutation.text for path, mutation in self.mutations}}

    @property
    def technique(self) -> str:
        """Of one site its own; SWE-smith's "combine_file" and "combine_module" for several bugs."""
        if len(self.mutations) > 1:
            return "combine_module"
        technique = self.mutations[0][1].technique
        return "combine_file" if "+" in technique else technique

    @functools.cached_property
    def name(self) -> str:
        parts = [f"{path} {mutation.fingerprint}" for path, mutation in self.mutations]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:10]

    def __str__(self) -> str:
        return self.name


def generate(recipe: Recipe, progress: Callable[[str], object] = lambda line: None) -> Harvest:
    """Make and validate tasks.

    Args:
        recipe: of what.
        progress: called with a line now and then.
    """
    kitchen = _Kitchen(recipe, progress)
    kitchen.try_singles()
    if recipe.pairs and recipe.count:
        kitchen.try_pairs()
    return Harvest(tuple(kitchen.tasks.values()), kitchen.verdicts)


def mutants(repository: Repository, recipe: Recipe) -> Iterator[Mutant]:
    """Every mutant with one bug, and those of several sites where the recipe says so."""
    techniques = chosen(recipe.techniques)
    for path, text in repository.files.items():
        source = Source(text)
        found = {mutation.fingerprint: mutation for mutation in single(source, techniques, recipe.seed)}
        if recipe.several:
            for mutation in sampled(source, techniques, recipe.seed):
                found.setdefault(mutation.fingerprint, mutation)
        for mutation in found.values():
            yield Mutant(repository, ((path, mutation),))


def group(mutant: Mutant, split_by: str) -> str:
    """What of the corpus a mutant's bug lies in, for splits; "" where in several."""
    if split_by == "repository":
        return mutant.repository.name
    functions = {f"{path}:{m.function.partition('.')[0]}" for path, m in mutant.mutations}
    return f"{mutant.repository.name}/{functions.pop()}" if len(functions) == 1 else ""


def splits(groups: Sequence[str], eval_share: float, seed: int) -> Mapping[str, str]:
    """Group -> "train" or "eval"; both have one where there are two and the share is not 0 or 1."""
    ordered = by_hash(dict.fromkeys(groups), f"{seed} split")
    size = round(eval_share * len(ordered))
    if 0 < eval_share < 1:
        size = min(max(size, 1), len(ordered) - 1)
    return {name: "eval" if place < size else "train" for place, name in enumerate(ordered)}


class _Kitchen:
    """The state of one `generate`."""

    def __init__(self, recipe: Recipe, progress: Callable[[str], object]) -> None:
        self.recipe = recipe
        self.progress = progress
        self.tasks: dict[str, Task] = {}
        self.verdicts: Counter[tuple[str, str, str]] = Counter()
        self.valid: dict[str, list[Mutant]] = defaultdict(list)
        self.repositories = [repository(name) for name in recipe.packages or repositories()]
        self.stable = {one.name: stable(one) for one in self.repositories}
        every = [group_ for one in self.repositories for group_ in _groups(one, recipe.split_by)]
        self.splits = splits(every, recipe.eval_share, recipe.seed)
        self.seen: set[str] = set()

    @property
    def wanted(self) -> float:
        return self.recipe.count - len(self.tasks) if self.recipe.count else float("inf")

    def try_singles(self) -> None:
        found = [mutant for one in self.repositories for mutant in mutants(one, self.recipe)]
        self.progress(f"{len(found)} mutants of {len(self.repositories)} repositories")
        queue = by_hash(found, f"{self.recipe.seed} order")
        while queue and self.wanted > 0:
            size = int(min(_CHUNK, 1.5 * self.wanted + 10))
            self.try_out(queue[:size])
            queue = queue[size:]

    def try_pairs(self) -> None:
        rng = random.Random(f"{self.recipe.seed} pairs")
        for _ in range(_TRIES):
            if self.wanted <= 0 or not self.valid:
                return
            drawn = (self._pair(rng) for _ in range(min(_CHUNK, int(2 * self.wanted) + 1)))
            self.try_out([pair for pair in drawn if pair is not None])

    def try_out(self, chunk: Sequence[Mutant]) -> None:
        fresh = {mutant.name: mutant for mutant in chunk if mutant.name not in self.seen}
        self.seen.update(fresh)
        results: dict[str, Evaluation] = {}
        for one in self.repositories:
            of_one = [mutant for mutant in fresh.values() if mutant.repository.name == one.name]
            trees = [mutant.tree for mutant in of_one]
            found = evaluate_all(one, trees, self.recipe.workers, most_timeouts=1)
            results.update(zip((mutant.name for mutant in of_one), found, strict=True))
        for name, mutant in fresh.items():
            self._judge(mutant, results[name])
        self.progress(f"{sum(self.verdicts.values())} tried, {len(self.tasks)} valid")

    def _judge(self, mutant: Mutant, result: Evaluation) -> None:
        ids = self.stable[mutant.repository.name]
        found = verdict(result.statuses, ids, result.timed_out)
        self.verdicts[mutant.repository.name, mutant.technique, found] += 1
        if found == "valid" and self.wanted > 0:
            task = _task(mutant, result, ids, self._split(mutant), self.recipe.seed)
            self.tasks[task.id] = task
            if len(mutant.mutations) == 1 and "+" not in mutant.mutations[0][1].technique:
                self.valid[mutant.repository.name].append(mutant)

    def _split(self, mutant: Mutant) -> str:
        names = {self.splits[group(_alone(mutant, k), self.recipe.split_by)] for k in range(len(mutant.mutations))}
        assert len(names) == 1, "pairs are of one split"
        return names.pop()

    def _pair(self, rng: random.Random) -> Mutant | None:
        """Two valid bugs of one repository and split in one; None where they do not go together."""
        name = rng.choice(sorted(key for key, found in self.valid.items() if found))
        first, second = rng.choice(self.valid[name]), rng.choice(self.valid[name])
        if self._split(first) != self._split(second):
            return None
        if first.mutations[0][0] != second.mutations[0][0]:
            return Mutant(first.repository, tuple(sorted((*first.mutations, *second.mutations), key=lambda m: m[0])))
        path, one = first.mutations[0]
        both = combined(Source(first.repository.files[path]), [one, second.mutations[0][1]])
        if both is not None and both.technique.count("+") == 0:
            both = replace(both, technique=f"{both.technique}+{both.technique}")
        return None if both is None else Mutant(first.repository, ((path, both),))


def _alone(mutant: Mutant, place: int) -> Mutant:
    return Mutant(mutant.repository, (mutant.mutations[place],))


def _groups(one: Repository, split_by: str) -> list[str]:
    """Every group that bugs of a repository may lie in."""
    if split_by == "repository":
        return [one.name]
    tops = [[f"{one.name}/{path}:{e.top}" for e in Source(text).entities] for path, text in one.files.items()]
    return list(dict.fromkeys(itertools.chain(*tops)))


def _task(mutant: Mutant, result: Evaluation, ids: Sequence[str], split: str, seed: int) -> Task:
    base = mutant.repository
    parts = split_ids(result.statuses, ids, f"{seed} {mutant.name}")
    failing = set(parts.fail_to_pass) & set(parts.visible)
    path, mutation = mutant.mutations[0]
    return Task(
        id=f"{base.name}.{tree_hash(base.files)[:8]}.{mutant.technique}__{mutant.name}",
        repo=base.name,
        files=mutant.tree,
        statement=statement([case for case in base.checks.cases if case.id in failing], result.results),
        checks=base.checks,
        fail_to_pass=parts.fail_to_pass,
        pass_to_pass=parts.pass_to_pass,
        visible=parts.visible,
        reference={path: base.files[path] for path, _ in mutant.mutations},
        bug=Bug(mutant.technique, path, mutation.function, mutation.line),
        split=split,
    )
