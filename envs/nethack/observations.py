"""What the agent sees: observation entries, and how a batch is made from nle's arrays.

| entry | shape, type | what |
| --- | --- | --- |
| `glyphs_crop`, `chars_crop`, `colors_crop` | (9, 9) int16, uint8, uint8 | around the hero |
| `blstats` | (27,) float32 in [-5, 5] | bottom line, normalised |
| `raw_blstats` | (27,) int64 | bottom line as nle gives it |
| `glyphs`, `chars`, `message`, `inv_glyphs`, `tty_chars` ... | nle's own | copied |
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from gymnasium import spaces
from nle import nethack
from nle.env.base import NLE_SPACE_ITEMS

from envs.nethack.kernels import BLSTATS, STATS_LIMIT, crop, normalise_blstats
from envs.typing import Array, IntArray
from foundation.checks import whole
from foundation.naming import nearest

NLE_SPACES: dict[str, spaces.Box] = dict(NLE_SPACE_ITEMS)
NO_GLYPH = nethack.MAX_GLYPH
CROP_SOURCES = {"glyphs_crop": ("glyphs", NO_GLYPH), "chars_crop": ("chars", 0), "colors_crop": ("colors", 0)}
ENTRIES = (*CROP_SOURCES, "raw_blstats", *NLE_SPACES)
DEFAULT_ENTRIES = ("glyphs_crop", "blstats", "inv_glyphs")


class ObservationLayout:
    """The entries an agent gets, their spaces, and the nle arrays they are made from.

    Args:
        entries: names from `ENTRIES`.
        crop_size: height and width of the cropped entries, odd.

    Raises:
        ValueError: for a name that is not an entry, with the nearest one; for an even or empty
            crop.
    """

    def __init__(self, entries: Sequence[str] = DEFAULT_ENTRIES, crop_size: int = 9) -> None:
        if not entries:
            raise ValueError("observation_keys is empty: the agent would see nothing. Give at least one entry.")
        for entry in entries:
            if entry not in ENTRIES:
                raise ValueError(
                    f"observation_keys has no entry {entry!r}.{nearest(entry, ENTRIES)} There are {', '.join(ENTRIES)}."
                )
        if whole("crop_size", crop_size) % 2 == 0:
            raise ValueError(f"crop_size is {crop_size}; the window has the hero in its middle, so it must be odd.")
        self.entries = tuple(dict.fromkeys(entries))
        self.crop_size = crop_size

    @property
    def sources(self) -> set[str]:
        """The nle observation keys that the entries are made from."""
        renamed = {"raw_blstats": "blstats", **{name: source for name, (source, _) in CROP_SOURCES.items()}}
        return {renamed.get(entry, entry) for entry in self.entries}

    def space(self) -> spaces.Dict:
        """The observation space of one environment."""
        return spaces.Dict({entry: self._box(entry) for entry in self.entries})

    def _box(self, entry: str) -> spaces.Box:
        size = (self.crop_size, self.crop_size)
        if entry in CROP_SOURCES:
            source, _ = CROP_SOURCES[entry]
            dtype = NLE_SPACES[source].dtype
            return spaces.Box(0, int(NLE_SPACES[source].high.max()), size, dtype.type)  # type: ignore[union-attr,arg-type]
        if entry == "blstats":
            return spaces.Box(-STATS_LIMIT, STATS_LIMIT, (BLSTATS,), np.float32)
        return NLE_SPACES["blstats" if entry == "raw_blstats" else entry]

    def copied(self) -> dict[str, str]:
        """Entries that are an nle array as it is -> its key: nle may write straight into them."""
        made = {*CROP_SOURCES, "blstats"}
        return {entry: "blstats" if entry == "raw_blstats" else entry for entry in self.entries if entry not in made}

    def write(self, raw: Mapping[str, Array], rows: IntArray, out: Mapping[str, Array]) -> None:
        """Crop and normalise these rows: nle's `raw[key]` -> `out[entry]`, all (n, ...)."""
        for entry in self.entries:
            if entry in CROP_SOURCES:
                source, pad = CROP_SOURCES[entry]
                crop(raw[source], raw["blstats"], rows, out[entry], pad)
            elif entry == "blstats":
                normalise_blstats(raw["blstats"], rows, out[entry])
