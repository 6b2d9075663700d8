"""The NetHack tasks of ONI and Motif: five more actions, deeper stairs, the Oracle kept sober.

| id | reward | ends |
| --- | --- | --- |
| NetHackScoreExtendedActions-v1 | as NetHackScore | death |
| NetHackRewardFreeExtendedActions-v1 | 0 | death |
| NetHackStaircaseLvl3ExtendedActions-v1, ...Lvl4... | 50 for the stairs down to that level | then |
| NetHackOracleExtendedActions-v1 | 50 beside the Oracle | then |
| NetHackOracleSoberExtendedActions-v1 | the same, unless the hero hallucinates | then |

Source: Zheng et al. 2024 (arXiv 2410.23022), section 5; Klissarov et al. 2023 (arXiv 2310.00166),
where the Oracle was "found" by hallucinating. Levels are counted within a branch of the dungeon, as
nle's dungeon level number does.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gymnasium
import numpy as np
from nle import nethack
from nle.env.tasks import TASK_ACTIONS, NetHackOracle, NetHackScore, NetHackStaircase
from nle.nethack import Command

from envs.typing import Array

EXTENDED_ACTIONS = (*TASK_ACTIONS, Command.CAST, Command.QUAFF, Command.PRAY, Command.PICKUP, Command.PAY)
"""The 28 actions: nle's 23, and cast, quaff, pray, pick up, pay."""
READ = ("glyphs", "blstats", "message")  # nle adds what it needs itself
HALLUCINATING = 512  # of the bits of nle's condition
REWARD = 50.0
ON_STAIRS_DOWN = 4  # column of nle's internal


class ExtendedActions:
    """Marks tasks whose questions the fast path answers; see `envs.nethack.macros.ExtendedKeys`."""

    def __init__(
        self,
        *args: Any,
        actions: Sequence[Any] = EXTENDED_ACTIONS,
        observation_keys: Sequence[str] = READ,
        **kwargs: Any,
    ) -> None:
        keys = tuple(observation_keys)
        super().__init__(*args, actions=actions, observation_keys=keys, **kwargs)  # type: ignore[call-arg]


class NetHackScoreExtendedActions(ExtendedActions, NetHackScore):
    """NetHackScore with 28 actions."""


class NetHackRewardFreeExtendedActions(ExtendedActions, NetHackScore):
    """NetHack without a reward of its own: what is learned comes from the reward terms."""

    def _reward_fn(self, last_observation: Any, action: Any, observation: Any, end_status: Any) -> float:
        return 0.0


class _Goal(ExtendedActions, NetHackStaircase):
    """50 for the goal, and the end of the episode; nothing else pays."""

    def _reward_fn(self, last_observation: Any, action: Any, observation: Any, end_status: Any) -> float:
        return REWARD if end_status == self.StepStatus.TASK_SUCCESSFUL else 0.0


class _StaircaseLevel(_Goal):
    """Going down the stairs to a level. Falling through a trapdoor is not."""

    level = 0

    def begin(self, observation: Sequence[Array]) -> None:
        """An episode begins with this observation."""
        self._stood = bool(observation[self._internal_index][ON_STAIRS_DOWN])
        self._was = int(observation[self._blstats_index][nethack.NLE_BL_DLEVEL])

    def reset(self, *args: Any, **kwargs: Any) -> Any:
        result = super().reset(*args, **kwargs)
        self.begin(self.last_observation)
        return result

    def _is_episode_end(self, observation: Sequence[Array]) -> Any:
        stood, was = self._stood, self._was
        self.begin(observation)
        # The words "You descend the stairs." would say it too, and nle's own step loses them.
        descended = stood and self._was == was + 1 == self.level
        return self.StepStatus.TASK_SUCCESSFUL if descended else self.StepStatus.RUNNING


class NetHackStaircaseLvl3ExtendedActions(_StaircaseLevel):
    """Down the stairs to level 3."""

    level = 3


class NetHackStaircaseLvl4ExtendedActions(_StaircaseLevel):
    """Down the stairs to level 4."""

    level = 4


class NetHackOracleExtendedActions(_Goal, NetHackOracle):
    """Beside the Oracle."""

    sober = False

    def _is_episode_end(self, observation: Sequence[Array]) -> Any:
        blstats = observation[self._blstats_index]
        x, y = int(blstats[nethack.NLE_BL_X]), int(blstats[nethack.NLE_BL_Y])
        # nle's own slice wraps around at row and column 0
        around = observation[self._glyph_index][max(0, y - 1) : y + 2, max(0, x - 1) : x + 2]
        is_there = bool(np.any(around == self.oracle_glyph))
        if self.sober and int(blstats[nethack.NLE_BL_CONDITION]) & HALLUCINATING:
            is_there = False
        return self.StepStatus.TASK_SUCCESSFUL if is_there else self.StepStatus.RUNNING


class NetHackOracleSoberExtendedActions(NetHackOracleExtendedActions):
    """Beside the Oracle, and not because everything looks like her."""

    sober = True


TASKS: tuple[Any, ...] = (
    NetHackScoreExtendedActions,
    NetHackRewardFreeExtendedActions,
    NetHackStaircaseLvl3ExtendedActions,
    NetHackStaircaseLvl4ExtendedActions,
    NetHackOracleExtendedActions,
    NetHackOracleSoberExtendedActions,
)
for _task in TASKS:
    gymnasium.register(f"{_task.__name__}-v1", entry_point=_task)
EXTENDED_IDS = tuple(f"{task.__name__}-v1" for task in TASKS)
"""Their stock gymnasium ids, before "breadcrumb/"."""
