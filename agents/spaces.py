"""Which observations a policy can read."""

from __future__ import annotations

from typing import Any

from gymnasium import spaces


def refuse_unreadable(space: spaces.Space[Any], what: str) -> None:
    """Raises ValueError where no policy of SB3 reads such observations; says what would do.

    Args:
        space: of the observations, or of an entry.
        what: it is, in words.
    """
    if isinstance(space, spaces.Dict):
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
