"""Networks that learn a behaviour space from images.

Sources: Paolo et al. 2020, "Unsupervised Learning and Exploration of Reachable Outcome Space"
(TAXONS), and 2024, "Discovering and Exploiting Sparse Rewards in a Learned Behavior Space" (STAX),
with the sizes of their published code.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from foundation.checks import one_of

PIXELS = {"small": 32, "stax": 64, "taxons": 64}
"""Network -> the side of its square images."""
DEEPEST = 256
"""Numbers between the convolutions and the code of "small" and "stax"."""


class Autoencoder(nn.Module):
    """Images (n, 3, side, side) in [0, 1] to codes (n, code), and back.

    "stax" has four convolutions, SELU after every layer, the code's too; "small" is the same with
    three, for images of 32 × 32. "taxons" has batch normalisation, more layers and no biases.

    Args:
        network: "small", "stax" or "taxons".
        code: numbers in a code.

    Raises:
        ValueError: an unknown network.
    """

    def __init__(self, network: str = "small", code: int = 10) -> None:
        super().__init__()
        one_of("network", network, PIXELS)
        self.pixels = PIXELS[network]
        make = {"small": _small, "stax": _stax, "taxons": _taxons}[network]
        self.encoder, self.decoder = make(code)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Codes and reconstructions."""
        codes = self.encoder(images)
        return codes, self.decoder(codes)


def _small(code: int) -> tuple[nn.Sequential, nn.Sequential]:
    return _plain((3, 16, 32, 16), code)


def _stax(code: int) -> tuple[nn.Sequential, nn.Sequential]:
    return _plain((3, 32, 64, 32, 16), code)


def _plain(channels: Sequence[int], code: int) -> tuple[nn.Sequential, nn.Sequential]:
    down: list[nn.Module] = []
    for narrow, wide in pairwise(channels):
        down += [nn.Conv2d(narrow, wide, 4, 2, 1), nn.SELU()]
    encoder = nn.Sequential(*down, nn.Flatten(), nn.Linear(DEEPEST, code), nn.SELU())
    up: list[nn.Module] = [nn.Linear(code, DEEPEST), nn.SELU(), nn.Unflatten(1, (channels[-1], 4, 4))]
    for wide, narrow in zip(channels[:0:-1], channels[-2::-1], strict=True):
        up += [nn.ConvTranspose2d(wide, narrow, 4, 2, 1), nn.SELU()]
    return encoder, nn.Sequential(*up[:-1], nn.ReLU())


def _taxons(code: int) -> tuple[nn.Sequential, nn.Sequential]:
    down: list[nn.Module] = []
    for narrow, wide in ((3, 32), (32, 128), (128, 128), (128, 64)):
        down += [nn.Conv2d(narrow, wide, 4, 2, 1, bias=False), nn.SELU(), nn.BatchNorm2d(wide)]
    down += [nn.Flatten()]
    for wide, narrow in ((1024, 1024), (1024, 256), (256, code)):
        down += [nn.Linear(wide, narrow, bias=False), nn.SELU()]
    up: list[nn.Module] = []
    for narrow, wide in ((code, 256), (256, 512)):
        up += [nn.Linear(narrow, wide, bias=False), nn.SELU()]
    up += [nn.Unflatten(1, (32, 4, 4)), nn.BatchNorm2d(32)]
    for wide, narrow in ((32, 64), (64, 32), (32, 32)):
        up += [nn.ConvTranspose2d(wide, narrow, 4, 2, 1, bias=False), nn.SELU(), nn.BatchNorm2d(narrow)]
    up += [nn.ConvTranspose2d(32, 3, 4, 2, 1, bias=False), nn.ReLU()]
    return nn.Sequential(*down), nn.Sequential(*up)


def parameters(network: nn.Module) -> int:
    """How many numbers it learns."""
    return sum(parameter.numel() for parameter in network.parameters())


def parameters_are_finite(network: nn.Module) -> bool:
    """Whether a training has left it usable."""
    return all(bool(torch.isfinite(parameter).all()) for parameter in network.parameters())
