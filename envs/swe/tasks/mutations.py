"""Bugs: SWE-smith's thirteen procedural techniques on the standard library's syntax trees.

Yang et al. 2025, "SWE-smith: Scaling Data for Software Engineering Agents", arXiv 2504.21798. Only
the lines of what is changed are written anew, so a diff shows the bug and nothing else.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from envs.swe.tasks.source import Edit, Entity, Source
from envs.swe.tasks.techniques import TECHNIQUES, Change, Technique
from foundation.naming import unknown


@dataclass(frozen=True)
class Mutation:
    """A mutated file.

    Attributes:
        technique: by which; joined by "+" where there are several.
        function: the entity in which it lies, the first of several.
        line: on which it begins, from 1, in the text as it was.
        edits: what of the text is replaced, by place in bytes.
        text: the whole file after it.
        fingerprint: the same for mutations of a file that differ in layout alone.
    """

    technique: str
    function: str
    line: int
    edits: tuple[Edit, ...]
    text: str
    fingerprint: str = ""


def chosen(names: Iterable[str]) -> tuple[Technique, ...]:
    """Techniques by their names; none means all. Raises ValueError for an unknown one."""
    names = list(names)
    for name in names:
        if name not in TECHNIQUES:
            raise unknown("technique", name, TECHNIQUES)
    return tuple(technique for name, technique in TECHNIQUES.items() if not names or name in names)


def single(source: Source, techniques: Sequence[Technique], seed: int) -> tuple[Mutation, ...]:
    """Every change at every site, one a mutation, without duplicates, in the order of the file.

    Args:
        source: of the file.
        techniques: which to use.
        seed: of the orders that statements and methods are shuffled to.
    """
    return _distinct(source, proposed(source, techniques, seed))


def proposed(source: Source, techniques: Sequence[Technique], seed: int) -> list[Mutation]:
    """The same, without looking whether they parse, change anything, or are there twice."""
    found = []
    for technique in techniques:
        for entity in technique.fitting(source):
            rng = random.Random(f"{seed} {technique.name} {entity.name}")
            for site in technique.sites(source, entity, rng):
                found += [mutation(source, technique.name, entity.name, [change]) for change in site]
    return found


def sampled(source: Source, techniques: Sequence[Technique], seed: int) -> tuple[Mutation, ...]:
    """One mutation a technique and entity, as SWE-smith makes them.

    Each site is changed with the technique's likelihood; what comes to no change is left out.
    """
    found: list[Mutation] = []
    for technique in techniques:
        for entity in technique.fitting(source):
            rng = random.Random(f"{seed} {technique.name} {entity.name}")
            found += _drawn(source, technique, entity, rng)
    return _distinct(source, found)


def combined(source: Source, mutations: Sequence[Mutation]) -> Mutation | None:
    """Several bugs of one file in one; None where they touch or undo one another."""
    edits = sorted(edit for mutation in mutations for edit in mutation.edits)
    if any(before.end >= after.start for before, after in itertools.pairwise(edits)):
        return None
    first = min(mutations, key=lambda mutation: mutation.line)
    technique = "+".join(dict.fromkeys(m.technique for m in sorted(mutations, key=lambda m: m.line)))
    both = Mutation(technique, first.function, first.line, tuple(edits), source.edited(edits))
    return next(iter(_distinct(source, [both])), None)


def mutation(source: Source, technique: str, function: str, changes: Sequence[Change]) -> Mutation:
    """A mutation of changes that do not overlap."""
    edits = tuple(sorted(edit for change in changes for edit in change))
    return Mutation(technique, function, source.line(edits[0].start), edits, source.edited(edits))


def _drawn(source: Source, technique: Technique, entity: Entity, rng: random.Random) -> Iterator[Mutation]:
    changes: list[Change] = []
    taken: list[tuple[int, int]] = []
    for site in technique.sites(source, entity, rng):
        if not site or rng.random() >= technique.likelihood:
            continue
        change = rng.choice(site)
        spans = [(edit.start, edit.end) for edit in change]
        if not any(start < other_end and other < end for start, end in spans for other, other_end in taken):
            changes.append(change)
            taken += spans
    if changes:
        yield mutation(source, technique.name, entity.name, changes)


def _distinct(source: Source, mutations: Iterable[Mutation]) -> tuple[Mutation, ...]:
    """Those that parse, change the program, and differ from all before them."""
    seen: set[str] = set()
    kept = []
    for one in mutations:
        try:
            name = source.changed_hash(one.edits)
        except SyntaxError:  # an operator that does not fit among its neighbours
            continue
        if name and name not in seen:
            seen.add(name)
            kept.append(replace(one, fingerprint=name))
    return tuple(sorted(kept, key=lambda m: (m.line, m.technique, m.text)))
