"""SORS: a reward that ranks episodes as the task's return does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import torch

from foundation.checks import whole
from shaping.explors.self_designed import SelfDesignedTerm
from shaping.registry import register_term


@register_term("sors")
class SorsTerm(SelfDesignedTerm):
    """Pays R_φ(s, a), fitted so that better episodes have a higher sum of it.

    Source: Memarian et al. 2021, "Self-Supervised Online Reward Shaping in Sparse-Reward
    Environments", in the form in which Devidze et al. 2022 compare with it: R_φ is paid beside the
    task's reward. The loss of a pair of episodes with Ḡ_i > Ḡ_j is −log σ(Ĝ_φ(i) − Ĝ_φ(j)), both
    discounted; pairs of equal return say nothing, and where there are no others φ stays.

    Args:
        keys, function, hidden, bound, every, kept, design_rate, warm_up: see `SelfDesignedTerm`.
        pairs: of a step, drawn with replacement where there are more; their mean loss is descended.

    Raises:
        ValueError: see `SelfDesignedTerm`.
    """

    def __init__(
        self,
        keys: Sequence[str] | None = None,
        function: Literal["auto", "table", "network"] = "auto",
        hidden: int = 64,
        bound: float | None = None,
        every: int = 5,
        kept: int = 10,
        design_rate: float | None = None,
        warm_up: int = 0,
        pairs: int = 10,
    ) -> None:
        super().__init__(keys, function, hidden, bound, every, kept, design_rate, warm_up)
        self.pairs = whole("pairs", pairs)

    def design(self) -> Mapping[str, float]:
        """One step on pairs.

        Metrics: "loss", and "accuracy", the share of the pairs that were ranked rightly before it.
        """
        episodes = list(self._episodes.newest)
        returns = np.array([episode.returns(self._gamma)[0] for episode in episodes])
        better, worse = np.nonzero(returns[:, None] > returns[None, :])
        if not len(better):
            return {}
        if len(better) > self.pairs:
            drawn = self._random.integers(0, len(better), self.pairs)
            better, worse = better[drawn], worse[drawn]
        sums = torch.stack([self._discounted(episode) for episode in episodes])
        margins = sums[torch.from_numpy(better)] - sums[torch.from_numpy(worse)]
        loss = torch.nn.functional.softplus(-margins).mean()
        self._designed.descend(loss)
        return {"loss": float(loss.detach()), "accuracy": float((margins.detach() > 0).float().mean())}

    def _discounted(self, episode: Any) -> torch.Tensor:
        """Ĝ_φ of an episode."""
        values = self._designed.tensor(torch.from_numpy(episode.features))
        paid = values[torch.arange(len(episode)), torch.from_numpy(episode.actions)]
        discounts = torch.from_numpy((self._gamma ** np.arange(len(episode))).astype(np.float32))
        return (discounts * paid).sum()
