"""Where networks live."""

from __future__ import annotations

import torch


def resolve_device(device: str) -> str:
    """The device of a name: "auto" becomes "cuda" where there is one.

    Raises:
        ValueError: the device does not exist here.
    """
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        kind = torch.device(device).type
    except RuntimeError as error:
        raise ValueError(f"agent.device={device} is no device; expected cpu, cuda, cuda:N or auto.") from error
    if kind == "cuda" and not torch.cuda.is_available():
        raise ValueError(f"agent.device={device} was asked for, and torch sees no GPU here. Use cpu or auto.")
    return device
