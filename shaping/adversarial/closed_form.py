"""The gradient of a discriminator's loss, penalty included, written out.

Leaky rectifiers are straight on either side, so where the penalty looks the gradient of a logit
with respect to what came in is a product of weights, some of whose rows are scaled:

    g = (… ((w ∘ m_L) W_L ∘ m_{L−1}) … ∘ m_1) W_1,    m = 1 where a unit is positive, else its slope

and the penalty's own gradient is one more pass through the same products, with m as it stands.
Networks and minibatches are so small that autograd spends most of its time on its graph.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.special import expit

Array = npt.NDArray[np.float32]
ROOT = 1e-12
"""Added below the root of a norm that is descended, whose gradient at 0 is none."""


class Layers(NamedTuple):
    """A discriminator's numbers.

    Attributes:
        weights: of each layer (out, in), the head last.
        biases: of each layer (out,).
        slope: of the rectifiers below 0.
    """

    weights: Sequence[Array]
    biases: Sequence[Array]
    slope: float


class Punished(NamedTuple):
    """weight · mean of max(0, n − free)², or of (n − free)² where flatter is punished, too."""

    weight: float
    free: float
    one_sided: bool


class Learned(NamedTuple):
    """What a minibatch comes to.

    Attributes:
        loss: cross-entropies − entropy bonus + penalty.
        penalty: as it stands in the loss.
        logits: (2n,) of the agent's rows and then of the expert's.
        norms: (n,) gradient norms where the penalty looked.
        weights, biases: gradients, as the layers'.
    """

    loss: float
    penalty: float
    logits: Array
    norms: Array
    weights: list[Array]
    biases: list[Array]


def gradients(
    layers: Layers,
    rows: Array,
    labels: Array,
    entropy: float,
    penalty: Punished,
    points: Array | None,
    within: Array | None = None,
) -> Learned:
    """`judge`'s loss and its gradient with respect to every weight and bias.

    Args:
        layers: as they are; nothing is changed.
        rows: (2n, width), the agent's n and then the expert's n.
        labels: (n,) of the expert's.
        entropy: weight of the bonus.
        penalty: how the norms are punished.
        points: (n, width) where it looks; None: nowhere.
        within: (n, width) 0 where a point lies beyond a clip of observations, which has no slope.
    """
    values, signs = _forward(layers, rows)
    logits = values[-1][:, 0]
    n = len(labels)
    sure = expit(logits)
    wanted = np.concatenate([np.zeros(len(logits) - n, np.float32), labels])
    softplus = np.logaddexp(np.float32(0.0), logits)
    loss = float((softplus - wanted * logits).sum() / n - entropy * (softplus - sure * logits).mean())
    rise = (sure - wanted) / np.float32(n)
    rise += np.float32(entropy / len(logits)) * logits * sure * (1 - sure)

    of_weights: list[Array] = []
    of_biases: list[Array] = []
    upper = rise[:, None]
    for index in reversed(range(len(layers.weights))):
        of_weights.insert(0, upper.T @ values[index])
        of_biases.insert(0, upper.sum(axis=0))
        if index:
            upper = upper @ layers.weights[index]
            upper *= signs[index - 1]

    norms, punished = np.zeros(0, np.float32), 0.0
    if points is not None:
        norms, punished = _punish(layers, points, within, penalty, of_weights)
    return Learned(loss + punished, punished, logits, norms, of_weights, of_biases)


def _forward(layers: Layers, rows: Array) -> tuple[list[Array], list[Array]]:
    """What goes into each layer, and the head's logits last; slopes of each hidden unit."""
    values, signs = [rows], []
    for weight, bias in zip(layers.weights[:-1], layers.biases[:-1], strict=True):
        before = values[-1] @ weight.T
        before += bias
        signs.append(np.where(before > 0, np.float32(1.0), np.float32(layers.slope)))
        values.append(before * signs[-1])
    values.append(values[-1] @ layers.weights[-1].T + layers.biases[-1])
    return values, signs


def _punish(
    layers: Layers, points: Array, within: Array | None, penalty: Punished, of_weights: list[Array]
) -> tuple[Array, float]:
    """Add the penalty's gradient to that of the weights; norms and the penalty."""
    _, signs = _forward(layers, points)
    slopes = np.broadcast_to(layers.weights[-1], (len(points), layers.weights[-1].shape[1]))
    chain = [slopes]  # d logit / d each layer's output, the head's input first
    for sign, weight in zip(reversed(signs), reversed(layers.weights[:-1]), strict=True):
        chain.append(chain[-1] * sign)
        slopes = chain[-1] @ weight
        chain.append(slopes)
    slope = chain[-1] if within is None else chain[-1] * within
    norms = np.sqrt(np.einsum("ij,ij->i", slope, slope) + np.float32(ROOT))
    excess = norms - np.float32(penalty.free)
    if penalty.one_sided:
        np.maximum(excess, 0.0, out=excess)
    punished = float(penalty.weight * np.square(excess).mean())

    upper = slope * (np.float32(2 * penalty.weight / len(points)) * excess / norms)[:, None]
    if within is not None:
        upper = upper * within
    for index, sign in enumerate(signs):  # from the first layer up
        through = chain[-2 - 2 * index]
        of_weights[index] += through.T @ upper
        upper = (upper @ layers.weights[index].T) * sign
    of_weights[-1] += upper.sum(axis=0)[None]
    return norms, punished
