"""SplitHalfCheetah: gymnasium's half cheetah, with what control costs told apart from the task.

Source: Gupta et al. 2023 (BARFI), whose heuristic it is.
"""

from __future__ import annotations

from typing import Any

import gymnasium

BEHIND = "HalfCheetah-v5"


class SplitHalfCheetah(gymnasium.Wrapper[Any, Any, Any, Any]):
    """The half cheetah, paid for running forward alone.

    ``info["reward_channels"]["control"]`` is minus the squared forces: weigh it with
    ``shaping.terms.channels.weight``, 1 as published for a good heuristic, 4 for a bad one.

    Args:
        render_mode: "rgb_array" or None.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": 20}
    reports = ("reward_channels",)

    def __init__(self, render_mode: str | None = None) -> None:
        weights: dict[str, Any] = {"forward_reward_weight": 1.0, "ctrl_cost_weight": 1.0}
        super().__init__(gymnasium.make(BEHIND, render_mode=render_mode, max_episode_steps=-1, **weights))

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Play one action; the reward is `reward_forward`."""
        observation, _, terminated, truncated, info = self.env.step(action)
        info = {**info, "reward_channels": {"control": float(info["reward_ctrl"])}}
        return observation, float(info["reward_forward"]), terminated, truncated, info
