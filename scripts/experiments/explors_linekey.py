"""EXPLORS and its parts as reward terms of PPO, on a line with keys and a distractor."""

from __future__ import annotations

from scripts.experiments.claim import Comparison

_LINE = ("env=classic/line_keys_distractor", "agent=ppo")

CLAIM = Comparison(
    title="EXPLORS as a term of PPO: a line with keys and a distractor",
    text=(
        "The continuous [line with keys](terms/explors.md) of the 2022 paper: walk to one end, take the true key and "
        "no other, walk to the other end and stay there, where every step then pays 1; without the true key it pays "
        "0.01. Success is to have been paid with the true key. `explors` pays a learned reward and a bonus for states "
        "that were seldom left, `selfrs` the first alone, `explob` the second alone; `sors` pays a reward that ranks "
        "episodes; `count` is the [count term](terms/count.md) with bins of the same width. All settings are defaults, "
        "looked at on seeds 300 and 301."
    ),
    arms={
        "none": (*_LINE, "shaping=none"),
        "count": (*_LINE, "shaping=count", "shaping.terms.count.resolution=0.1"),
        "sors": (*_LINE, "shaping=sors"),
        "selfrs": (*_LINE, "shaping=explors/selfrs"),
        "explob": (*_LINE, "shaping=explors/explob"),
        "explors": (*_LINE, "shaping=explors"),
    },
    total_timesteps=80_000,
)
