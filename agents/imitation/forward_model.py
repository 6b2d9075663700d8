"""Where a step leads, learned beside the policy: for PURPLE, and for diagnostics."""

from __future__ import annotations

import torch
from torch import Tensor, nn

HIDDEN = 100
SLOPE = 0.1
LEAST_DEVIATION = 1e-3


class ForwardModel(nn.Module):
    """f̂(s, a) ≈ s', two hidden layers with leaky rectifiers, inputs in units of what it has met.

    Source: the code of Blondé et al. 2020.

    Args:
        observation_width, action_width: of a step.
        learning_rate: Adam's.
        seed: of the first weights; torch's global stream is left as it was.
    """

    count: Tensor
    mean: Tensor
    square: Tensor

    def __init__(self, observation_width: int, action_width: int, *, learning_rate: float, seed: int) -> None:
        super().__init__()
        width = observation_width + action_width
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.layers = nn.Sequential(
                nn.Linear(width, HIDDEN), nn.LeakyReLU(SLOPE),
                nn.Linear(HIDDEN, HIDDEN), nn.LeakyReLU(SLOPE),
                nn.Linear(HIDDEN, observation_width),
            )  # fmt: skip
        self.register_buffer("count", torch.zeros(()))
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("square", torch.ones(width))
        self.optimiser = torch.optim.Adam(self.layers.parameters(), lr=learning_rate)

    def forward(self, rows: Tensor) -> Tensor:
        """Successors (n, observation_width) of rows (n, observation_width + action_width)."""
        deviation = (self.square - self.mean.square()).clamp(min=LEAST_DEVIATION**2).sqrt()
        successors: Tensor = self.layers((rows - self.mean) / deviation)
        return successors

    def fit(self, rows: Tensor, successors: Tensor) -> float:
        """One step of Adam on a minibatch; its mean squared error before it."""
        with torch.no_grad():
            self.count += len(rows)
            share = len(rows) / self.count
            self.mean.lerp_(rows.mean(dim=0), float(share))
            self.square.lerp_(rows.square().mean(dim=0), float(share))
        loss = nn.functional.mse_loss(self(rows), successors)
        self.optimiser.zero_grad()
        loss.backward()
        self.optimiser.step()
        return float(loss.detach())

    def sum_slopes(self, rows: Tensor) -> Tensor:
        """‖∇ Σ_i f̂_i‖ at each row, (n,): what the authors' code takes for the Jacobian's norm."""
        with torch.enable_grad():
            inputs = rows.detach().requires_grad_()
            (gradient,) = torch.autograd.grad(self(inputs).sum(), inputs)
        return gradient.norm(dim=1)
