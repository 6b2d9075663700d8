"""STAX: SERENE in a behaviour space that is learned from images.

Source: Paolo et al. 2024, "Discovering and Exploiting Sparse Rewards in a Learned Behavior Space"
(Evolutionary Computation 32:3), and its code.
"""

from __future__ import annotations

from typing import Any

from agents.quality_diversity.emitters import Emitting
from agents.quality_diversity.learned_space import LearnedSpace, Learning
from agents.quality_diversity.novelty_search import Search
from agents.quality_diversity.serene import Serene


class Stax(Serene):
    """Chunks of TAXONS, and chunks for emitters where it found rewards.

    After every training of the space all that the search keeps is encoded anew: population,
    offspring, both archives, and of every emitter its ancestor, most novel and buffer.

    Args:
        settings: see `Search`; by default fronts of novelty and surprise, the variant of the
            paper's curves; "random_choice" is the other.
        emitting: see `Emitting`.
        learning: of the space; see `Learning`.
        seed: of everything random, the space's weights too.
        rest: as of `Evolver`.
    """

    def __init__(
        self,
        size: int,
        budget: int,
        *,
        settings: Search | None = None,
        emitting: Emitting | None = None,
        learning: Learning | None = None,
        seed: int = 0,
        **rest: Any,
    ) -> None:
        settings = settings or Search(selection="novelty_surprise")
        space = LearnedSpace(learning, seed=seed)
        super().__init__(size, budget, settings=settings, emitting=emitting, space=space, seed=seed, **rest)
