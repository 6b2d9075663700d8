"""Many episodes of the tool face, stepped together with array operations over sheets of tasks."""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium import spaces
from stable_baselines3.common.vec_env.base_vec_env import VecEnvStepReturn

from envs.batched import BatchedVecEnv
from envs.catalogue import EnvDescription, Request
from envs.swe.rules import (
    ACTION,
    CHANNELS,
    COMPLETION,
    EDIT,
    FORMAT,
    MILESTONES,
    OUTCOMES,
    PROGRESS,
    STATISTICS,
    Rules,
)
from envs.swe.tools.picture import picture
from envs.swe.tools.sheets import FEATURES, Layout, Sheets
from envs.swe.tools.verdicts import LookedUp, Verdicts
from envs.typing import Array, BoolArray, IntArray

REPORTS = frozenset({"reward_channels", "stats"})
FIXED = ("list", "search", "test", "undo", "submit")
LOST = len(OUTCOMES)  # where an outcome's place stands: nobody knows
FLAGS = ("listed", "searched", "edited", "tested")
_SEARCHED, _OPENED, _EDITED, _TESTED = range(len(MILESTONES))


class Tools:
    """The actions by number: list, open a file, search, apply a candidate, test, undo, submit.

    Args:
        layout: F file slots and K candidates give F + K + 5 actions.
    """

    def __init__(self, layout: Layout) -> None:
        self.open = 1
        self.search = 1 + layout.files
        self.apply = self.search + 1
        self.test = self.apply + layout.candidates
        self.undo, self.submit = self.test + 1, self.test + 2
        self.count = self.submit + 1
        self.names = (
            "list",
            *(f"open {slot}" for slot in range(layout.files)),
            "search",
            *(f"apply {place}" for place in range(layout.candidates)),
            "run_tests",
            "undo",
            "submit",
        )


class ToolsVecEnv(BatchedVecEnv):
    """Bugs to mend by choosing among tools, files and edits, n at once.

    An action is one of `Tools`; one that `action_masks` rules out changes nothing and counts as
    invalid. Observations are float32: `FLAGS`; which file is open (F); which files a search found
    (F); for each candidate of the open file (K) `FEATURES`, was it tried, is it there; the share of
    visible tests that passed when they were run last; edits so far, a tenth each; and, with
    `turn_counter`, the share of turns that is used. Rewards are 0 but for the last turn, which pays
    the outcome's worth.

    `infos[i]` holds, as asked for, "reward_channels" and, on the last turn, "stats"; there always
    "is_success", "outcome" and "episode_seed". Where a sandbox was lost, the episode is truncated
    and not scored: "sandbox_lost" instead of an outcome.

    Args:
        sheets: the tasks; an episode's seed chooses one.
        layout: that the sheets were made by.
        rules: what turns and outcomes are worth.
        request: rows, seed and split, what of `REPORTS` to report.
        verdicts: what trees come to; those of the sheets unless they are given.
        turn_counter: whether the state says how many turns are left.

    Raises:
        ValueError: for workers, which have no use here, and for what `BatchedVecEnv` refuses.
    """

    row_methods = ("action_masks",)

    def __init__(
        self,
        sheets: Sheets,
        layout: Layout,
        rules: Rules,
        request: Request,
        *,
        verdicts: Verdicts | None = None,
        turn_counter: bool = False,
    ) -> None:
        if request.workers:
            raise ValueError(f"workers={request.workers}: a step costs less than sending it away; use workers=0")
        self.sheets, self.layout, self.rules, self.turn_counter = sheets, layout, rules, turn_counter
        self.verdicts = LookedUp(sheets) if verdicts is None else verdicts
        self.tools = Tools(layout)
        files, places = layout.files, layout.candidates
        size = len(FLAGS) + 2 * files + places * (len(FEATURES) + 2) + 2 + turn_counter
        super().__init__(
            EnvDescription("SweTools", REPORTS),
            request,
            spaces.Box(0.0, 1.0, (size,), np.float32),
            spaces.Discrete(self.tools.count),
        )
        n = request.n_envs
        self._report = frozenset(request.report)
        self._rows = np.arange(n)
        self._task = np.zeros(n, np.int64)
        self._listed, self._searched, self._tested = (np.zeros(n, np.bool_) for _ in range(3))
        self._opened = np.full(n, -1)
        self._applied = np.full(n, -1)  # of all candidates of the task, file by file
        self._tried = np.zeros((n, files * places), np.bool_)
        self._fraction = np.zeros(n, np.float32)
        self._edits, self._turns, self._invalid = (np.zeros(n, np.int64) for _ in range(3))
        self._milestones = np.zeros((n, len(MILESTONES)), np.bool_)
        self._changed_once = np.zeros(n, np.bool_)
        self._episode_seeds = np.zeros(n, np.int64)
        self._said: list[list[str]] = [[] for _ in range(n)]
        self._actions: IntArray = np.zeros(n, np.int64)

    def reset(self) -> Array:
        """Begin an episode in every row."""
        self.reset_infos = [{} for _ in range(self.num_envs)]
        for row in range(self.num_envs):
            self.begin(row)
        return self.observed()

    def begin(self, row: int, episode_seed: int | None = None) -> None:
        """Begin the episode of this seed, or the next of the stream."""
        seed = self.episodes.next(row) if episode_seed is None else episode_seed
        self._episode_seeds[row] = seed
        self._task[row] = task_of(seed, len(self.sheets))
        for flags in (self._listed, self._searched, self._tested, self._changed_once):
            flags[row] = False
        self._opened[row] = self._applied[row] = -1
        self._tried[row] = self._milestones[row] = False
        self._fraction[row] = self._edits[row] = self._turns[row] = self._invalid[row] = 0
        self._said[row] = []
        self.reset_infos[row] = {"episode_seed": seed}

    def action_masks(self) -> BoolArray:
        """(n, actions) what can be done now; list, search, run tests and submit always can."""
        tools, layout = self.tools, self.layout
        masks = np.ones((self.num_envs, tools.count), np.bool_)
        seen = self._listed | self._searched
        masks[:, tools.open : tools.search] = seen[:, None] & self.sheets.exists[self._task]
        free = (self._opened >= 0) & (self._applied < 0)
        offered = self.sheets.offered[self._task, np.maximum(self._opened, 0)]
        masks[:, tools.apply : tools.apply + layout.candidates] = free[:, None] & offered
        masks[:, tools.undo] = self._applied >= 0
        return masks

    def step_async(self, actions: Array) -> None:
        self._actions = np.asarray(actions, np.int64).reshape(-1)
        if self._actions.shape != (self.num_envs,) or ((self._actions < 0) | (self._actions >= self.tools.count)).any():
            raise ValueError(
                f"actions are {np.asarray(actions).tolist()}; expected {self.num_envs} of 0 to {self.tools.count - 1}"
            )

    def step_wait(self) -> VecEnvStepReturn:
        paid, submitted, lost = self._play(self._actions)
        changed = np.flatnonzero(submitted & (self._applied >= 0))
        outcomes = submitted.astype(np.int64)
        if len(changed):
            passed = self.verdicts.passed(self._task[changed], 1 + self._applied[changed])
            lost[changed] = np.isnan(passed)
            outcomes[changed] = 2 + (passed > 0.5)
        outcomes[lost] = LOST
        done = submitted | lost | (self._turns >= self.rules.max_turns)
        worth = np.array([*self.rules.outcomes, 0.0])  # the last: LOST
        rewards = np.where(done, worth[outcomes], 0.0).astype(np.float32)
        infos: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        if "reward_channels" in self._report:
            for info, values in zip(infos, paid.tolist(), strict=True):
                named = zip(CHANNELS, values, strict=True)
                info["reward_channels"] = {name: value for name, value in named if value}
        observations = self.observed()
        for row in np.flatnonzero(done).tolist():
            self._end(row, int(outcomes[row]), infos[row], observations[row])
        if done.any():
            observations = self.observed()
        return observations, rewards, done, infos

    def close(self) -> None:
        """Ends the sandboxes, where there are some."""
        self.verdicts.close()

    def frame(self, index: int) -> Array:
        """What was done, as a picture."""
        task, opened = int(self._task[index]), int(self._opened[index])
        return picture(f"task {task}", self._said[index], opened, float(self._fraction[index]))

    def _play(self, actions: IntArray) -> tuple[Array, BoolArray, BoolArray]:
        """One turn everywhere: channels (n, 5), who submitted, and whose sandbox was lost."""
        tools, n = self.tools, self.num_envs
        valid = self.action_masks()[self._rows, actions]
        listing, searching = valid & (actions == 0), valid & (actions == tools.search)
        opening = valid & (actions >= tools.open) & (actions < tools.search)
        applying = valid & (actions >= tools.apply) & (actions < tools.test)
        testing, undoing = valid & (actions == tools.test), valid & (actions == tools.undo)
        submitted = actions == tools.submit
        self._turns += 1
        self._invalid += ~valid
        self._listed |= listing
        self._searched |= searching
        self._opened = np.where(opening, actions - tools.open, self._opened)
        candidate = self._opened * self.layout.candidates + actions - tools.apply
        self._applied = np.where(applying, candidate, np.where(undoing, -1, self._applied))
        rows = np.flatnonzero(applying)
        self._tried[rows, candidate[rows]] = True
        self._edits += applying
        tested = np.flatnonzero(testing)
        lost = np.zeros(n, np.bool_)
        if len(tested):
            found = self.verdicts.fractions(self._task[tested], 1 + self._applied[tested])
            lost[tested] = np.isnan(found)
            self._fraction[tested] = np.nan_to_num(found)
        self._tested = (self._tested | testing) & ~applying & ~undoing
        on_target = self.sheets.targets[self._task, np.maximum(self._opened, 0)]
        changed = self._applied >= 0
        reached = np.zeros((n, len(MILESTONES)), np.bool_)
        reached[:, _SEARCHED] = searching
        reached[:, _OPENED] = opening & on_target
        reached[:, _EDITED] = applying & on_target
        reached[:, _TESTED] = testing & changed
        new = reached & ~self._milestones
        self._milestones |= reached
        first_change = changed & ~self._changed_once & ~submitted
        self._changed_once |= first_change
        paid = np.zeros((n, len(CHANNELS)))
        paid[:, 0] = FORMAT * ~submitted
        paid[:, 1] = ACTION * (valid & ~submitted)
        paid[:, 2] = EDIT * first_change
        paid[:, 3] = PROGRESS * new.any(axis=1)
        paid[:, 4] = COMPLETION * submitted
        if self.render_mode is not None:
            for row, action in enumerate(actions.tolist()):
                self._said[row].append(tools.names[action] + ("" if valid[row] else " (not now)"))
        return paid, submitted, lost

    def _end(self, row: int, outcome: int, info: dict[str, Any], observation: Array) -> None:
        info["terminal_observation"] = observation
        info["TimeLimit.truncated"] = outcome == LOST
        info["is_success"] = OUTCOMES.index("pass") == outcome
        info["episode_seed"] = int(self._episode_seeds[row])
        if outcome == LOST:
            info["sandbox_lost"] = True
            info |= {"reward_channels": {}} if "reward_channels" in info else {}
        else:
            info["outcome"] = OUTCOMES[outcome]
        if "stats" in self._report:
            came_to = [float(outcome == place) for place in range(len(OUTCOMES))]
            share = float(self._invalid[row] / self._turns[row])
            known = outcome != LOST
            values = (*(float(known and outcome > least) for least in range(3)), share, *came_to)
            info["stats"] = dict(zip(STATISTICS, values, strict=True))
        self.begin(row)

    def observed(self) -> Array:
        """The observations (n, size) of the episodes as they stand."""
        n, layout = self.num_envs, self.layout
        opened = np.maximum(self._opened, 0)
        is_open = self._opened >= 0
        files = np.arange(layout.files)
        places = opened[:, None] * layout.candidates + np.arange(layout.candidates)
        offered = self.sheets.offered[self._task, opened] & is_open[:, None]
        features = self.sheets.features[self._task, opened] * offered[..., None]
        candidates = np.concatenate(
            [
                features,
                (np.take_along_axis(self._tried, places, axis=1) & offered)[..., None],
                ((self._applied[:, None] == places) & offered)[..., None],
            ],
            axis=2,
        )
        parts = [
            np.stack([self._listed, self._searched, self._applied >= 0, self._tested], axis=1),
            self._opened[:, None] == files,
            self.sheets.targets[self._task] & self._searched[:, None],
            candidates.reshape(n, -1),
            self._fraction[:, None],
            np.minimum(self._edits / 10.0, 1.0)[:, None],
        ]
        if self.turn_counter:
            parts.append((self._turns / self.rules.max_turns)[:, None])
        return np.concatenate(parts, axis=1, dtype=np.float32)


def task_of(episode_seed: int, tasks: int) -> int:
    """Which of so many tasks an episode is about."""
    mixed = (episode_seed + 0x9E3779B97F4A7C15) & _MASK  # splitmix64
    mixed = (mixed ^ mixed >> 30) * 0xBF58476D1CE4E5B9 & _MASK
    mixed = (mixed ^ mixed >> 27) * 0x94D049BB133111EB & _MASK
    return (mixed ^ mixed >> 31) % tasks


_MASK = (1 << 64) - 1
