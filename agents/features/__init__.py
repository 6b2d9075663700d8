"""Feature extractors: `features_for` picks one by the observation space."""

from __future__ import annotations

from typing import Any

from gymnasium import spaces
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor, CombinedExtractor

from agents.features.cdgpt5 import CDGPT5Features, CDGPT5LightFeatures
from agents.features.glyphs import BaselineFeatures, CompactFeatures, reads_glyphs
from agents.features.perceiver import PerceiverFeatures, reads_matrix

FEATURES: dict[str, type[BaseFeaturesExtractor]] = {
    "compact": CompactFeatures,
    "baseline": BaselineFeatures,
    "cdgpt5": CDGPT5Features,
    "cdgpt5_light": CDGPT5LightFeatures,
    "combined": CombinedExtractor,
    "perceiver": PerceiverFeatures,
}

SHARDED = (CompactFeatures, BaselineFeatures)
"""Extractors that can share a training batch between threads (`threads=`)."""

__all__ = [
    "FEATURES",
    "SHARDED",
    "BaselineFeatures",
    "CDGPT5Features",
    "CDGPT5LightFeatures",
    "CompactFeatures",
    "PerceiverFeatures",
    "features_for",
    "reads_matrix",
]


def features_for(
    observation_space: spaces.Space[Any], name: str = "auto", **arguments: Any
) -> tuple[type[BaseFeaturesExtractor], dict[str, Any]] | None:
    """The feature extractor for an observation space, with its arguments; None leaves it to SB3.

    Args:
        observation_space: what the agent sees.
        name: "auto" (compact for glyphs, SB3's own otherwise), or a name in `FEATURES`.

    Raises:
        ValueError: for an unknown name, or an extractor that cannot read this space.
    """
    if name == "auto":
        return (CompactFeatures, arguments) if reads_glyphs(observation_space) else None
    if name not in FEATURES:
        raise ValueError(f"there is no feature extractor {name!r}; choose auto, {', '.join(FEATURES)}")
    if name == "perceiver":
        if not reads_matrix(observation_space):
            raise ValueError(
                f"the perceiver feature extractor reads a matrix of things, not {observation_space}; use features=auto"
            )
        return PerceiverFeatures, arguments
    if not isinstance(observation_space, spaces.Dict):
        raise ValueError(
            f"the {name} feature extractor reads dictionary observations, not {observation_space}; use features=auto"
        )
    if name in ("compact", "baseline") and not reads_glyphs(observation_space):
        raise ValueError(
            f"the {name} feature extractor reads NetHack's glyphs, and there are none in {observation_space}; "
            "use features=auto"
        )
    return FEATURES[name], arguments
