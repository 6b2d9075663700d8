"""Individuals that the search keeps, and archives of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, NamedTuple, Self

import numpy as np

from agents.quality_diversity.evaluations import BoolArray, Images
from agents.quality_diversity.novelty import FloatArray, IntArray


class Elites(NamedTuple):
    """What a search found, a row each.

    Attributes:
        genomes: (n, D).
        rewards, descriptors, truths: as of `Evaluations`.
        ids: numbers of their evaluations, from 0, (n,): their rows in a history.
    """

    genomes: FloatArray
    rewards: FloatArray
    descriptors: FloatArray
    truths: FloatArray
    ids: IntArray


@dataclass
class Members:
    """n individuals, a row each.

    Attributes:
        ids: numbers of their evaluations, from 0, (n,).
        parents: ids of who they are mutations of, (n,); −1: of nobody.
        genomes: (n, D).
        rewards, descriptors, truths, areas: as of `Evaluations`.
        novelty, surprise: as last computed, (n,).
        spawned: an emitter was made of it, (n,).
        views: (n, frames, h, w, 3), or (n, 0) where nobody looks.
    """

    ids: IntArray
    parents: IntArray
    genomes: FloatArray
    rewards: FloatArray
    descriptors: FloatArray
    truths: FloatArray
    areas: IntArray
    novelty: FloatArray
    surprise: FloatArray
    spawned: BoolArray
    views: Images

    @classmethod
    def nobody(cls, genome: int, descriptor: int, view: tuple[int, ...] = (0,)) -> Self:
        """No rows, of these widths."""
        whole, real = np.zeros(0, np.int64), np.zeros(0)
        return cls(
            ids=whole,
            parents=whole,
            genomes=np.zeros((0, genome)),
            rewards=real,
            descriptors=np.zeros((0, descriptor)),
            truths=np.zeros((0, 2)),
            areas=whole,
            novelty=real,
            surprise=real,
            spawned=np.zeros(0, np.bool_),
            views=np.zeros((0, *view), np.uint8),
        )

    def __len__(self) -> int:
        return len(self.ids)

    def rows(self, chosen: slice | IntArray | BoolArray) -> Self:
        """Those of these rows; copies, but for a slice."""
        return type(self)(**{name: getattr(self, name)[chosen] for name in NAMES})

    @classmethod
    def joined(cls, *parts: Members) -> Self:
        """One after the other; at least one."""
        return cls(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in NAMES})

    def each_once(self) -> Self:
        """Without later rows of an id that was there before."""
        return self.rows(np.sort(np.unique(self.ids, return_index=True)[1]))

    def elites(self) -> Elites:
        """Copies."""
        return Elites(**{name: getattr(self, name).copy() for name in Elites._fields})

    def state_dict(self) -> dict[str, Any]:
        return {name: np.array(getattr(self, name)) for name in NAMES}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        return cls(**{name: np.array(state[name]) for name in NAMES})


NAMES = tuple(field.name for field in fields(Members))


class Archive:
    """Members that stay: arrays that double when they are full.

    Args:
        template: of no rows: the widths.
    """

    def __init__(self, template: Members) -> None:
        self._store = template
        self._count = 0

    def __len__(self) -> int:
        return self._count

    @property
    def members(self) -> Members:
        """All of them, oldest first, without a copy: what is written here is written there."""
        return self._store.rows(slice(0, self._count))

    def add(self, members: Members) -> None:
        """Append these."""
        count = self._count + len(members)
        if count > len(self._store):
            self._grow(max(count, 2 * len(self._store)))
        for name in NAMES:
            getattr(self._store, name)[self._count : count] = getattr(members, name)
        self._count = count

    def _grow(self, capacity: int) -> None:
        grown = {}
        for name in NAMES:
            before = getattr(self._store, name)
            grown[name] = np.zeros((capacity, *before.shape[1:]), before.dtype)
            grown[name][: self._count] = before[: self._count]
        self._store = Members(**grown)

    def state_dict(self) -> dict[str, Any]:
        return self.members.state_dict()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._store = Members.from_state(state)
        self._count = len(self._store)
