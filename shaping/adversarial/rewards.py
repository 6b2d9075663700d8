"""From the discriminator's logit to a reward."""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor

from foundation.checks import one_of

FORMS = ("minimax", "airl", "nonsat")
Form = Literal["minimax", "airl", "nonsat"]
CAP = -math.log(1e-8)
"""Of minimax: −log(1 − σ(z) + 1e-8) comes to no more than 18.42."""


def reward_from_logits(logits: Tensor, form: str) -> Tensor:
    """Rewards of any shape.

    Args:
        logits: z of the discriminator, positive for the expert.
        form: "minimax", −log(1 − σ(z)), written as softplus(z) and cut at `CAP`, since in float32
            the logarithm is there at z = 17 already: never negative, so it also pays for going on;
            "airl", log σ(z) − log(1 − σ(z)) = z; "nonsat", log σ(z): never positive, so it also
            pays for being over.

    Raises:
        ValueError: no such form.
    """
    one_of("form", form, FORMS)
    if form == "airl":
        return logits
    if form == "nonsat":
        return torch.nn.functional.logsigmoid(logits)
    return torch.nn.functional.softplus(logits).clamp(max=CAP)
