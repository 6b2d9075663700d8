"""A small network that says how much each step of an episode contributed to its outcome."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from torch.nn.utils.rnn import pad_sequence

from foundation.checks import number, one_of, whole
from shaping.threads import one_thread
from shaping.transitions import FloatArray

Features = npt.NDArray[np.float32]
WIDEST = 4096  # numbers in a layer


class ProgressEstimator:
    """c_t of every step, learned so that Σ_t c_t is the episode's outcome.

    Source: Wang et al. 2025, "SPA-RL", arXiv 2505.20732: loss MSE(Σ_t c_t, R), over episodes. Their
    c_t is a linear head on a language model's last token of a turn; here it is one on a perceptron
    of the step, or on a recurrent network of the steps so far.

    Args:
        network: "mlp", of the step alone, or "gru".
        hidden: width of its layers.
        learning_rate, weight_decay: of AdamW.
        batch_size: episodes in a gradient step.

    Raises:
        ValueError: a number out of range.
    """

    def __init__(
        self,
        network: Literal["mlp", "gru"] = "mlp",
        hidden: int = 64,
        learning_rate: float = 1e-3,
        weight_decay: float = 0.01,
        batch_size: int = 16,
    ) -> None:
        self.kind = one_of("network", network, ("mlp", "gru"))
        self.hidden = whole("hidden", hidden, most=WIDEST)
        self.learning_rate = number("learning_rate", learning_rate, above=0)
        self.weight_decay = number("weight_decay", weight_decay, least=0)
        self.batch_size = whole("batch_size", batch_size)

    def build(self, width: int, seed: int) -> None:
        """Start anew, for rows of so many numbers; torch's own random numbers are left alone."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self._network = _Progress(width, self.hidden, self.kind == "gru")
        parameters = self._network.parameters()
        self._optimiser = torch.optim.AdamW(parameters, self.learning_rate, weight_decay=self.weight_decay)

    def learn(self, episodes: Sequence[tuple[Features, float]]) -> float:
        """One gradient step on episodes: rows (T, width) and outcome. Returns the loss."""
        outcomes = torch.tensor([outcome for _, outcome in episodes], dtype=torch.float32)
        rows = [torch.from_numpy(features) for features, _ in episodes]
        there = pad_sequence([torch.ones(len(row)) for row in rows], batch_first=True)
        with one_thread():
            progress = self._network(pad_sequence(rows, batch_first=True)) * there
            loss = (progress.sum(dim=1) - outcomes).square().mean()
            self._optimiser.zero_grad()
            loss.backward()
            self._optimiser.step()
        return float(loss.detach())

    def __call__(self, features: Features) -> FloatArray:
        """c_t (T,) of an episode's rows (T, width)."""
        with one_thread(), torch.no_grad():
            progress = self._network(torch.from_numpy(features)[None])[0]
        return progress.numpy().astype(np.float64)

    def state_dict(self) -> dict[str, Any]:
        return copy.deepcopy({"network": self._network.state_dict(), "optimiser": self._optimiser.state_dict()})

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Raises ValueError for a network of another kind or size."""
        try:
            self._network.load_state_dict(state["network"])
        except RuntimeError as error:
            raise ValueError(
                f"the saved progress estimator is another: resume with the same network, hidden, keys and embedding "
                f"({str(error).splitlines()[-1].strip()})"
            ) from error
        self._optimiser.load_state_dict(copy.deepcopy(state["optimiser"]))


class _Progress(nn.Module):
    """Rows (episodes, T, width) -> c (episodes, T); a row sees itself, or those before it too."""

    def __init__(self, width: int, hidden: int, recurrent: bool) -> None:
        super().__init__()
        self.recurrent = recurrent
        self.body: nn.Module = (
            nn.GRU(width, hidden, batch_first=True) if recurrent else nn.Sequential(nn.Linear(width, hidden), nn.Tanh())
        )
        self.head = nn.Linear(hidden, 1)

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        hidden = self.body(rows)[0] if self.recurrent else self.body(rows)
        progress: torch.Tensor = self.head(hidden)[..., 0]
        return progress
