"""KeyRoom-S5: ten scripted episodes as a reward, beside named events and no shaping."""

from scripts.experiments.claim import Comparison
from scripts.experiments.key_room_settings import KEY_ROOM

FILE = "outputs/demonstrations/key_room.npz"
"""The demonstrations; how they are made stands in the claim's text."""
_GAIL = (
    f"shaping.terms.gail.demonstrations={FILE}",
    "shaping.terms.gail.keys=[glyphs_crop,inv_glyphs]",  # the rest has a clock, which tells the sides apart
    "shaping.terms.gail.weight=0.05",
)

CLAIM = Comparison(
    title="KeyRoom-S5: ten scripted episodes as a reward, beside named events and no shaping",
    text=(
        "MiniHack-KeyRoom-S5, whose own reward is for the stairs behind the locked door. `gail` pays beside it what a "
        "discriminator takes for the steps of ten scripted episodes ([gail term](terms/gail.md)), `gail-airl` the "
        "same as log σ(z) − log(1 − σ(z)), `imitation` that alone, without the task's reward; the entry of the "
        "observation that has a clock is left out, and the weight is 0.05. `red` pays what a "
        "network learned of the ten episodes beforehand, `constant` the same for every step, `random` what a "
        "discriminator says that never learned. `events` pays for the key and for the door, once an episode. The "
        f"episodes are {FILE}, made first with `python -m scripts.record_demonstrations scripted "
        "env=minihack/key_room env.kwargs.observation_keys=[glyphs_crop,blstats,inv_glyphs,glyphs] episodes=10 "
        f"seed=7 out={FILE}`."
    ),
    arms={
        "none": (*KEY_ROOM, "shaping=none"),
        "events": (*KEY_ROOM, "shaping=events"),
        "gail": (*KEY_ROOM, "shaping=gail", *_GAIL),
        "gail-airl": (*KEY_ROOM, "shaping=gail/airl", *_GAIL),
        "imitation": (*KEY_ROOM, "shaping=gail/airl", *_GAIL, "shaping.task_weight=0"),
        "red": (*KEY_ROOM, "shaping=gail/red", *_GAIL),
        "random": (*KEY_ROOM, "shaping=gail/random", *_GAIL),
        "constant": (*KEY_ROOM, "shaping=gail/constant", *_GAIL),
    },
    total_timesteps=120_000,
)
