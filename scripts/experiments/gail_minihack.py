"""KeyRoom-S5: ten scripted episodes as a reward, beside named events and no shaping."""

from scripts.experiments.claim import DEMONSTRATIONS, SEED, Comparison

_ROOM = ("env=minihack/key_room", "agent=ppo")
_GAIL = (
    f"shaping.terms.gail.demonstrations={DEMONSTRATIONS}",
    "shaping.terms.gail.keys=[glyphs_crop,inv_glyphs]",  # the rest has a clock, which tells the sides apart
    "shaping.terms.gail.weight=0.02",
)
_ALONE = "shaping.task_weight=0"

CLAIM = Comparison(
    title="KeyRoom-S5: ten scripted episodes as a reward, beside named events and no shaping",
    text=(
        "MiniHack-KeyRoom-S5, whose own reward is for the stairs behind the locked door. `gail-airl` pays beside it "
        "what a discriminator says of the steps of ten scripted episodes, log σ(z) − log(1 − σ(z)) ([gail "
        "term](terms/gail.md)), `gail` −log(1 − σ(z)); `imitation` has the first of them alone, without the task's "
        "reward. The entry of the observation that has a clock is left out. `no-penalty` is `gail-airl` without the "
        "gradient penalty. `red` pays what a network learned of the ten episodes beforehand; `constant` the same for "
        "every step and `random` what a discriminator says that never learned, both without the task's reward. "
        "`events` pays for the key and for the door, once an episode; `bc` clones the same episodes. The weight, "
        "0.02, was chosen for `gail-airl` on seed 300, and all share it."
    ),
    arms={
        "none": (*_ROOM, "shaping=none"),
        "events": (*_ROOM, "shaping=events"),
        "gail-airl": (*_ROOM, "shaping=gail/airl", *_GAIL),
        "gail": (*_ROOM, "shaping=gail", *_GAIL),
        "imitation": (*_ROOM, "shaping=gail/airl", *_GAIL, _ALONE),
        "no-penalty": (*_ROOM, "shaping=gail/airl", *_GAIL, "shaping.terms.gail.penalty=none"),
        "red": (*_ROOM, "shaping=gail/red", *_GAIL),
        "random": (*_ROOM, "shaping=gail/random", *_GAIL, _ALONE),
        "constant": (*_ROOM, "shaping=gail/constant", *_GAIL, _ALONE),
        "bc": ("env=minihack/key_room", "agent=bc", "shaping=none", f"agent.demonstrations={DEMONSTRATIONS}"),
    },
    total_timesteps=120_000,
    demonstrations=(
        *("scripted", "env=minihack/key_room"),
        *("env.kwargs.observation_keys=[glyphs,glyphs_crop,blstats,inv_glyphs]", "episodes=10", f"seed={SEED}"),
    ),
    told={
        "d_accuracy": ("terms/gail/accuracy",),
        "penalty_mean": ("terms/gail/penalty",),
        "gradient_norm_mean": ("terms/gail/slope",),
    },
)
