"""Environments: what the agent acts in.

    import gymnasium, envs
    env = gymnasium.make("breadcrumb/MiniHack-KeyRoom-S5-v0")              # one environment
    venv = envs.make_vec("breadcrumb/MiniHack-KeyRoom-S5-v0", n_envs=8)    # many, fast, for Stable-Baselines3

Importing this package registers the ids with gymnasium.
"""

from __future__ import annotations

import gymnasium
from gymnasium.envs.registration import WrapperSpec

from envs.catalogue import EnvDescription, describe, env_ids, make_vec, register_family, rows_together
from envs.classic import CAPTION_QUEST, STEP_LIMIT, ClassicFamily
from envs.nethack import NetHackFamily
from envs.rocket import TASKS as ROCKET_TASKS
from envs.rocket import RocketFamily

__all__ = ["EnvDescription", "describe", "env_ids", "make_vec", "rows_together"]

_NETHACK = NetHackFamily()
register_family("breadcrumb/NetHack", _NETHACK)
register_family("breadcrumb/MiniHack", _NETHACK)
for _id in _NETHACK.ids():
    # nle's and minihack's own limits hold inside; gymnasium's TimeLimit is added only when somebody asks for another.
    gymnasium.register(
        _id,
        entry_point="envs.nethack.env:NetHackEnv",
        kwargs={"env_id": _id},
        additional_wrappers=(WrapperSpec("TellStepLimit", "envs.nethack.env:TellStepLimit", {}),),
    )

register_family("breadcrumb/Rocket", RocketFamily())
for _id, _match in ROCKET_TASKS.items():
    gymnasium.register(_id, entry_point="envs.rocket.env:RocketEnv", kwargs=dict(_match))

register_family(CAPTION_QUEST, ClassicFamily())
gymnasium.register(
    CAPTION_QUEST, entry_point="envs.classic.caption_quest:CaptionQuestEnv", max_episode_steps=STEP_LIMIT
)
