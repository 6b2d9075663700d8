"""The gradient of PPO's loss over discrete actions, written down instead of traced.

Between the networks' last layers and the loss stand some forty operations on a number a row. Their
derivative has a closed form, which one compiled loop computes; autograd goes on from the logits and
values down.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numba import njit
from torch import Tensor


@dataclass(frozen=True)
class Weights:
    """What the loss is made of (Schulman et al. 2017, equation 9).

    Attributes:
        clip_range: of the ratio of probabilities.
        clip_range_vf: of the change of values; None leaves them as they are.
        entropy, value: coefficients of both losses.
    """

    clip_range: float
    clip_range_vf: float | None
    entropy: float
    value: float


@dataclass(frozen=True)
class Old:
    """What a rollout stored of a batch, (n,) each: actions, values and so on."""

    actions: Tensor
    values: Tensor
    log_probabilities: Tensor
    advantages: Tensor
    returns: Tensor


SUMS = ("policy", "value", "entropy", "kl", "clipped")
"""What `clipped_gradients` sums over rows: both losses, entropy, the estimate of the KL divergence
((r - 1) - log r), and how many ratios lay outside the range."""


def clipped_gradients(
    logits: Tensor, values: Tensor, old: Old, weights: Weights, rows: int, masks: Tensor | None = None
) -> tuple[Tensor, Tensor, Tensor]:
    """The gradient of the loss, a mean over `rows`, by logits and values, and `SUMS` over rows.

    Args:
        logits: (n, actions) before masks.
        values: (n,).
        old: of the same steps.
        weights: of the loss.
        rows: of the whole minibatch, where these are a part of it.
        masks: (n, actions) True where an action is allowed; None: all are.

    Returns:
        (n, actions), (n,), and (5,) in double precision.
    """
    logits = logits.detach()
    if masks is not None:
        logits = torch.where(masks, logits, torch.full_like(logits, -1e8))
    log_p = torch.log_softmax(logits, dim=1)
    by_logits, by_values = torch.empty_like(log_p), torch.empty_like(values)
    sums = torch.zeros(len(SUMS), dtype=torch.float64)
    loss_gradients(
        log_p.numpy(),
        log_p.exp().numpy(),
        values.detach().numpy(),
        old.actions.numpy(),
        old.values.numpy(),
        old.log_probabilities.numpy(),
        old.advantages.numpy(),
        old.returns.numpy(),
        weights.clip_range,
        np.inf if weights.clip_range_vf is None else weights.clip_range_vf,
        weights.entropy,
        weights.value,
        rows,
        by_logits.numpy(),
        by_values.numpy(),
        sums.numpy(),
    )
    if masks is not None:
        by_logits *= masks
    return by_logits, by_values, sums


@njit(cache=True, nogil=True, error_model="numpy")
def loss_gradients(
    log_p: Any, p: Any, values: Any, actions: Any, old_values: Any, old_log_p: Any, advantages: Any, returns: Any,
    clip_range: float, clip_range_vf: float, entropy_weight: float, value_weight: float, rows: int,
    by_logits: Any, by_values: Any, sums: Any,
) -> None:  # fmt: skip
    """Writes the gradient by logits and values, and adds to `SUMS`; see `clipped_gradients`."""
    n, n_actions = log_p.shape
    for row in range(n):
        action = int(actions[row])
        advantage = advantages[row]
        log_ratio = log_p[row, action] - old_log_p[row]
        ratio = np.exp(log_ratio)
        clipped = min(max(ratio, 1 - clip_range), 1 + clip_range)
        outside = ratio != clipped
        # min of both surrogates; where the clipped one is smaller, nothing flows
        flows = not outside or ratio * advantage <= clipped * advantage
        by_log_p = -advantage * ratio / rows if flows else 0.0
        entropy = 0.0
        for other in range(n_actions):
            if p[row, other] > 0:
                entropy -= p[row, other] * log_p[row, other]
        for other in range(n_actions):
            of_entropy = p[row, other] * (log_p[row, other] + entropy) if p[row, other] > 0 else 0.0
            by_logits[row, other] = entropy_weight * of_entropy / rows - by_log_p * p[row, other]
        by_logits[row, action] += by_log_p
        change = values[row] - old_values[row]
        bounded = min(max(change, -clip_range_vf), clip_range_vf)
        error = (values[row] if bounded == change else old_values[row] + bounded) - returns[row]
        by_values[row] = 2 * value_weight * error / rows if bounded == change else 0.0
        sums[0] -= min(ratio * advantage, clipped * advantage)
        sums[1] += error * error
        sums[2] += entropy
        sums[3] += ratio - 1 - log_ratio
        if abs(ratio - 1) > clip_range:
            sums[4] += 1
