"""KeyRoom-S5: a term that helps, one that misleads, and a combiner that learns which is which."""

from scripts.experiments.claim import Comparison

_ROOM = ("env=minihack/key_room", "agent=ppo")
_CLOCK = (
    "shaping.terms.count.keys=[blstats]",
    "shaping.terms.count.scope=episodic",
    "shaping.terms.count.weight=0.05",
)
"""The bottom line shows the game's time, so that every step is new: the bonus pays for staying."""
_LEARNED = "shaping.combiner.name=behaviour_alignment"


def _arm(terms: str, *settings: str) -> tuple[str, ...]:
    return (*_ROOM, f"shaping={terms}", *settings)


CLAIM = Comparison(
    title="KeyRoom-S5: a term that helps and one that misleads, weighed by a learned combiner",
    text=(
        "MiniHack-KeyRoom-S5. `events` helps: 1 for the key and 1 for the door, once an episode. `count` misleads: a "
        "count bonus whose keys hold the game's clock, so that every step is new and pays 0.05, more for staying "
        "than the stairs do for leaving. `sum` adds both to the task's reward; `blend` learns how much each counts "
        "([behaviour alignment](behaviour_alignment.md), `shaping.combiner.name=behaviour_alignment`), as "
        "`blend-helpful` and `blend-misleading` do with one of them; `potential` is the distance to the stairs. The "
        "combiner's learning rate, 0.5 of 0.2 and 0.5, was chosen on seeds 301 and 302."
    ),
    arms={
        "none": _arm("none"),
        "potential": _arm("potential"),
        "helpful": _arm("events"),
        "misleading": _arm("count", *_CLOCK),
        "sum": _arm("[events,count]", *_CLOCK),
        "blend": _arm("[events,count]", *_CLOCK, _LEARNED),
        "blend-helpful": _arm("events", _LEARNED),
        "blend-misleading": _arm("count", *_CLOCK, _LEARNED),
    },
    total_timesteps=120_000,
)
