"""SplitHalfCheetah: gymnasium's half cheetah, with what control costs told apart from the task.

Source: Gupta et al. 2023 (BARFI), whose heuristic it is. It needs MuJoCo, which is an extra:
make setup EXTRAS=mujoco.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any

import gymnasium
from stable_baselines3.common.vec_env import VecEnv

from envs.catalogue import NAMESPACE, EnvDescription, Option, Request, registry
from envs.plain import PlainFamily

ID = f"{NAMESPACE}SplitHalfCheetah-v0"
BEHIND = "HalfCheetah-v5"
LIMIT = 1000


class SplitHalfCheetah(gymnasium.Wrapper[Any, Any, Any, Any]):
    """The half cheetah, paid for running forward alone.

    ``info["reward_channels"]["control"]`` is minus the squared forces: weigh it with
    ``shaping.terms.channels.weight``, 1 as published for a good heuristic, 4 for a bad one.

    Args:
        render_mode: "rgb_array" or None.

    Raises:
        ValueError: MuJoCo is missing.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": 20}
    reports = ("reward_channels",)

    def __init__(self, render_mode: str | None = None) -> None:
        refuse_without_mujoco()
        weights: dict[str, Any] = {"forward_reward_weight": 1.0, "ctrl_cost_weight": 1.0}
        super().__init__(gymnasium.make(BEHIND, render_mode=render_mode, max_episode_steps=-1, **weights))

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Play one action; the reward is `reward_forward`."""
        observation, _, terminated, truncated, info = self.env.step(action)
        info = {**info, "reward_channels": {"control": float(info["reward_ctrl"])}}
        return observation, float(info["reward_forward"]), terminated, truncated, info


def refuse_without_mujoco() -> None:
    """Raises ValueError where MuJoCo is missing; says how to get it."""
    if find_spec("mujoco") is None:
        raise ValueError(f"{ID} needs MuJoCo, which is not installed: make setup EXTRAS=mujoco")


@registry.register("half_cheetah")
class HalfCheetahFamily(PlainFamily):
    """The one id: ``env=custom env.id=breadcrumb/SplitHalfCheetah-v0``."""

    place = 80

    def ids(self) -> Sequence[str]:
        return (ID,)

    def options(self) -> Sequence[Option]:
        """None: a card is for what every installation has."""
        return ()

    def canonical(self, env_id: str) -> str | None:
        return ID if env_id in (ID, ID.removeprefix(NAMESPACE)) else None

    def describe(self, env_id: str) -> EnvDescription:
        return EnvDescription(ID, frozenset(SplitHalfCheetah.reports), max_episode_steps=LIMIT)

    def register(self, env_id: str) -> None:
        gymnasium.register(env_id, entry_point=f"{__name__}:{SplitHalfCheetah.__name__}", max_episode_steps=LIMIT)

    def arguments(self, env_id: str) -> frozenset[str] | None:
        return frozenset({"max_episode_steps", "disable_env_checker"})

    def make_vec(self, env_id: str, request: Request, **kwargs: Any) -> VecEnv:
        """See `PlainFamily.make_vec`.

        Raises:
            ValueError: MuJoCo is missing.
        """
        refuse_without_mujoco()
        return super().make_vec(env_id, request, **kwargs)
