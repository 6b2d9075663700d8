"""What SB3's networks can read and choose, judged once: what they would do wrong is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium import spaces
from stable_baselines3.common.preprocessing import is_image_space

SMALLEST_IMAGE = 36
"""Pixels that SB3's convolutions need in either direction."""


def refuse_unreadable(space: spaces.Space[Any], what: str = "observations") -> None:
    """Raises ValueError where no policy of SB3 reads such observations; says what would do.

    Args:
        space: of the observations, or of an entry.
        what: it is, in words.
    """
    if isinstance(space, spaces.Dict):
        if not space.spaces:
            raise ValueError(f"The {what} are a Dict without entries, so there is nothing to read.")
        for key, entry in space.spaces.items():
            if isinstance(entry, spaces.Dict | spaces.Tuple):
                raise ValueError(
                    f"The {what} entry {key!r} is nested ({entry}); SB3's policies read one level. Flatten it."
                )
            refuse_unreadable(entry, f"{what} entry {key!r}")
        return
    if isinstance(space, spaces.Text):
        raise ValueError(
            f"The {what} are text ({space}), which no policy here reads. "
            "Choose numeric observation keys (such as the message's bytes), or encode the text in a wrapper."
        )
    if not isinstance(space, spaces.Box | spaces.Discrete | spaces.MultiDiscrete | spaces.MultiBinary):
        raise ValueError(
            f"The {what} are {space}, which no policy here reads; expected Box, Discrete or a Dict of them."
        )
    if isinstance(space, spaces.Box) and not space.shape:
        raise ValueError(f"The {what} are one number without an axis ({space}); give it the shape (1,).")
    if 0 in (space.shape or ()):
        raise ValueError(f"The {what} hold no number ({space}); leave them out, or give them some.")
    _refuse_counted_otherwise(space, f"The {what} are")


def refuse_unchoosable(space: spaces.Space[Any]) -> None:
    """Raises ValueError where SB3 would choose actions that are none of this space."""
    _refuse_counted_otherwise(space, "The actions are")
    if isinstance(space, spaces.MultiBinary) and len(space.shape) > 1:
        raise ValueError(f"The actions are switches in several rows ({space}); flatten them to one row.")
    if isinstance(space, spaces.Box):
        if not np.issubdtype(space.dtype, np.floating):
            raise ValueError(f"The actions are whole numbers in a Box ({space}); use MultiDiscrete, or floats.")
        if not np.isfinite([space.low, space.high]).all():
            raise ValueError(f"Continuous actions need finite bounds, and these are {space}: clip them.")


def refuse_small_images(space: spaces.Space[Any], policy: str) -> None:
    """Raises ValueError for an image that SB3's own convolutions cannot make smaller.

    Args:
        space: of the observations.
        policy: "auto" or one of SB3's; one that does not look at images as such refuses none.
    """
    entries = space.spaces if isinstance(space, spaces.Dict) else {"": space}
    for key, entry in entries.items():
        if policy == "MlpPolicy" or not is_image_space(entry):
            continue
        height, width = sorted(entry.shape or ())[-2:]
        if min(height, width) < SMALLEST_IMAGE:
            which = f"The observation entry {key!r} is" if key else "The observations are"
            raise ValueError(
                f"{which} an image of {height} × {width} pixels, and SB3's convolutions need {SMALLEST_IMAGE} in "
                "either direction: enlarge it, name an extractor that reads it (agent.features=NAME), or, where it "
                "is all there is, give agent.policy=MlpPolicy."
            )


def _refuse_counted_otherwise(space: spaces.Space[Any], these: str) -> None:
    """SB3 counts choices from 0, in one row."""
    if isinstance(space, spaces.Discrete | spaces.MultiDiscrete) and np.any(space.start):
        raise ValueError(
            f"{these} counted from {space.start} ({space}), and SB3 counts from 0: shift them in a wrapper."
        )
    if isinstance(space, spaces.MultiDiscrete) and space.nvec.ndim > 1:
        raise ValueError(f"{these} choices in several rows ({space}); flatten them to one row.")
