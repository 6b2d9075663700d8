"""One episode of the tool face at a time, behind gymnasium's interface."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gymnasium
import numpy as np

from envs.catalogue import Request
from envs.swe.rules import MAX_TURNS, WORTH, Rules
from envs.swe.task_source import sheets, tasks_of
from envs.swe.tools.sheets import Layout
from envs.swe.tools.vec_env import Tools, ToolsVecEnv
from envs.swe.tools.verdicts import verdicts
from envs.typing import Array, BoolArray
from foundation.checks import whole


class SweToolsEnv(gymnasium.Env[Array, np.int64]):
    """Mend a bug by choosing among tools, files and edits; see `ToolsVecEnv`.

    Args:
        report: what of "reward_channels" and "stats" to put into infos.
        split: whose tasks, "train" or "eval".
        render_mode: "rgb_array", or None.
        arguments: those of `tools_vec_env`.

    Raises:
        ValueError: for an argument that makes no sense.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": 2}

    def __init__(
        self,
        *,
        report: Sequence[str] = ("reward_channels", "stats"),
        split: str = "train",
        render_mode: str | None = None,
        **arguments: Any,
    ) -> None:
        request = Request(1, split=split, report=tuple(report), render_mode=render_mode)
        self._world = tools_vec_env(request, **arguments)
        self.tools: Tools = self._world.tools
        self.render_mode = render_mode
        self.observation_space = self._world.observation_space
        self.action_space = self._world.action_space
        self._over = True

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Array, dict[str, Any]]:
        """Begin an episode: the one of `seed`, or another."""
        super().reset(seed=seed)
        self._world.reset_infos = [{}]
        self._world.begin(0, int(seed) if seed is not None else int(self.np_random.integers(2**62)))
        self._over = False
        return self._world.observed()[0], dict(self._world.reset_infos[0])

    def step(self, action: Any) -> tuple[Array, float, bool, bool, dict[str, Any]]:
        """Take a turn. Running out of turns terminates: it is an outcome. A lost sandbox truncates.

        Raises:
            RuntimeError: the episode is over.
        """
        if self._over:
            raise RuntimeError("the episode is over, or has not begun: call reset()")
        self._world.step_async(np.array([action]))
        observations, rewards, dones, infos = self._world.step_wait()
        info = infos[0]
        self._over = bool(dones[0])
        lost = bool(info.get("sandbox_lost", False))
        observation = np.asarray(info.pop("terminal_observation") if self._over else np.asarray(observations)[0])
        info.pop("TimeLimit.truncated", None)
        return observation, float(rewards[0]), self._over and not lost, lost, info

    def close(self) -> None:
        """Ends the sandbox, where there is one."""
        self._world.close()

    def action_masks(self) -> BoolArray:
        """(actions,): see `ToolsVecEnv.action_masks`; sb3-contrib asks for them."""
        return np.asarray(self._world.action_masks()[0])

    def render(self) -> Array | None:  # type: ignore[override]
        """What was done as (240, 320, 3) uint8, or None without a render_mode."""
        return self._world.frame(0) if self.render_mode == "rgb_array" else None


def tools_vec_env(
    request: Request,
    *,
    tasks: str | None = None,
    files: int = 4,
    candidates: int = 6,
    fix: bool = True,
    order: int = 0,
    max_turns: int = MAX_TURNS,
    outcomes: Sequence[float] = WORTH,
    turn_counter: bool = False,
    sandbox: str = "table",
) -> ToolsVecEnv:
    """The vector environment of the tool face.

    Args:
        request: rows, seed, split and what to report.
        tasks: a file of `scripts.make_tasks`; None for a set that is made once.
        files: slots for files.
        candidates: slots for edits of a file.
        fix: is the right edit always among them?
        order: a seed of the order of files and edits.
        max_turns: of an episode.
        outcomes: what an episode is worth that ends without a submission, with an empty one, with
            one that fails, with one that passes.
        turn_counter: whether the state says how many turns are left.
        sandbox: where trees are tried out: "table" looks up what `sheets` found out before,
            "bubblewrap" and "docker" run them when an agent asks.

    Raises:
        ValueError: numbers that make no sense, a sandbox that is not there, tasks that the tool
            face cannot offer.
    """
    layout = Layout(whole("files", files), whole("candidates", candidates), bool(fix), whole("order", order, least=0))
    rules = Rules(max_turns, tuple(outcomes))
    found = sheets(tasks, request.split, layout)
    judged = verdicts(sandbox, lambda: tasks_of(tasks, request.split), found, layout)
    return ToolsVecEnv(found, layout, rules, request, verdicts=judged, turn_counter=turn_counter)
