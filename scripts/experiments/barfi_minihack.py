"""KeyRoom-S5: a term that helps, one that misleads, and a combiner that learns which is which."""

from scripts.experiments.claim import Comparison

_ROOM = ("env=minihack/key_room", "agent=ppo")
_CLOCK = (
    "shaping.terms.count.keys=[blstats]",
    "shaping.terms.count.scope=episodic",
    "shaping.terms.count.weight=0.05",
)
"""The bottom line shows the game's time, so that every step is new: the bonus pays for staying."""
_SILENT = "env.kwargs.penalty_step=0"
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
        "combiner's learning rate, 0.5 of 0.2 and 0.5, was chosen on seeds 301 and 302. `silent-*` are arms of a task "
        "that says nothing before the stairs: without MiniHack's charge of 0.01 for an action that takes no time "
        "(`env.kwargs.penalty_step=0`). They were added when the others were known, and tried on seeds 303 to 305."
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
        "silent-helpful": _arm("events", _SILENT),
        "silent-sum": _arm("[events,count]", *_CLOCK, _SILENT),
        "silent-blend": _arm("[events,count]", *_CLOCK, _LEARNED, _SILENT),
    },
    total_timesteps=120_000,
)
