"""KeyRoom-S5: events term against no shaping."""

from scripts.experiments.claim import Comparison

CLAIM = Comparison(
    title="KeyRoom-S5: events term against no shaping",
    text=(
        "MiniHack-KeyRoom-S5 rewards only the staircase, which lies behind a locked door whose key lies elsewhere "
        "in the room. `none` learns from that reward alone; `shaped` also from the [events term](terms/events.md), "
        "which pays once an episode for picking up the key and for opening the door. Success and return are the "
        "task's own in both."
    ),
    arms={
        "none": ("env=minihack/key_room", "shaping=none", "agent=ppo"),
        "shaped": ("env=minihack/key_room", "shaping=events", "agent=ppo"),
    },
    total_timesteps=120_000,
    seeds=(200, 201, 202, 203, 204),  # PPO\'s defaults were chosen on 101 to 109
)
