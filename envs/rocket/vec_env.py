"""RocketVecEnv: many matches behind SB3's vector interface, every car a row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from stable_baselines3.common.vec_env.base_vec_env import VecEnvStepReturn

from envs.batched import BatchedVecEnv, refuse
from envs.catalogue import EnvDescription, Request
from envs.episode_seeds import EpisodeSeeds
from envs.rocket.actions import ACTIONS
from envs.rocket.bots import BOTS
from envs.rocket.drivers import Driver, FrozenAgent
from envs.rocket.matches import Matches, refuse_teams, refuse_tick_skip, scored
from envs.rocket.observations import OBSERVATIONS
from envs.rocket.simulator import TICK_SKIP, TICKS_PER_SECOND
from envs.rocket.start_mixture import StartMixture
from envs.rocket.starts import Start
from envs.rocket.states import EVENTS, MatchStates
from envs.rocket.workers import MatchWorkers
from envs.typing import Array, BoolArray
from foundation.checks import number, one_of

REPORTS = frozenset({"states", "events", "stats"})
STATISTICS = {"touches": "touch", "shots": "shot", "saves": "save"}
"""What is counted over an episode, and of which event."""
SELF = "self"


@dataclass(frozen=True)
class MatchConfig:
    """What is played; the same for every arena.

    Attributes:
        blue, orange: cars in the teams; all of them are rows of the vector environment.
        observation, actions: names in `OBSERVATIONS` and `ACTIONS`.
        tick_skip: physics ticks (of 1/120 s) between decisions.
        seconds: the time limit of an episode (truncation).
        no_touch_seconds: an episode in which nobody touched the ball for so long is over
            (truncation); None: never.
        starts: name of a start -> weight; see `StartMixture`.
        replay_file: for the start "replay": a recorded match, or situations; see `StartMixture`.
        opponent: who drives the orange cars: "self" makes them rows too, a name in `BOTS` or the
            path of an SB3 checkpoint (.zip, of an agent that was trained with this observation,
            these actions and this tick_skip) leaves only the blue ones.
        mesh_dir: a folder of the game's own collision meshes; None for ours.
        trust: unpickle an opponent's file, whatever it says; see docs/trust.md.
    """

    blue: int = 1
    orange: int = 1
    observation: str = "flat"
    actions: str = "lookup"
    tick_skip: int = TICK_SKIP
    seconds: float = 300.0
    no_touch_seconds: float | None = 45.0
    starts: Mapping[str, float] = field(default_factory=lambda: {"kickoff": 1.0})
    replay_file: str | Path | None = None
    opponent: str | Path = SELF
    mesh_dir: str | Path | None = None
    trust: bool = False

    def __post_init__(self) -> None:
        refuse_teams(self.blue, self.orange)
        refuse_tick_skip(self.tick_skip)
        one_of("observation", self.observation, OBSERVATIONS)
        one_of("actions", self.actions, ACTIONS)
        opponent = str(self.opponent)
        if opponent not in (SELF, *BOTS) and not (opponent.endswith(".zip") and Path(opponent).is_file()):
            raise ValueError(
                f"opponent={opponent!r}: expected {SELF}, {', '.join(BOTS)} or the .zip file of an agent that exists"
            )
        if opponent != SELF and not (self.blue and self.orange):
            raise ValueError(
                f"opponent={opponent}: blue={self.blue} orange={self.orange} leaves nobody to play against"
            )
        number("seconds", self.seconds, above=0.0)
        if self.no_touch_seconds is not None:
            number("no_touch_seconds", self.no_touch_seconds, above=0.0)

    @property
    def rows(self) -> int:
        """Cars of an arena that are rows of the vector environment."""
        return self.blue + self.orange if self.opponent == SELF else self.blue

    @property
    def max_steps(self) -> int:
        """Steps until time is over."""
        return max(1, round(self.seconds * TICKS_PER_SECOND / self.tick_skip))


class RocketVecEnv(BatchedVecEnv):
    """Matches behind SB3's vector interface; row = arena * cars + car, blue cars first.

    With an opponent other than "self" the rows are the blue cars alone.

    A car's reward is 1 when its team scores, -1 when the other does. That ends the episode of every
    car in the arena; time and long idling truncate it. `infos[i]` holds, as asked for, "states"
    (one `MatchStates` for all rows, before any automatic reset) and "events" (names of `EVENTS`),
    and on an episode's last step `terminal_observation`, `TimeLimit.truncated`, `is_success` (its
    team scored), `episode_seed` and, as asked for, "stats": has this car `touched` the ball (0 or
    1), and how many `STATISTICS` did it have.

    Args:
        config: what is played.
        request: rows, a multiple of the cars in an arena; seed and split of their starts; workers,
            which play a share of the arenas; what of `REPORTS` and `EVENTS` to report.

    Raises:
        ValueError: numbers, names or meshes that cannot work.
    """

    row_methods = ("action_masks",)  # as sb3-contrib asks for them

    def __init__(self, config: MatchConfig, request: Request) -> None:
        cars, rows, n_envs = config.blue + config.orange, config.rows, request.n_envs
        if n_envs % rows:
            raise ValueError(f"n_envs={n_envs}: an arena has {rows} cars, each a row; give a multiple of {rows}")
        description = EnvDescription("Rocket", REPORTS, EVENTS)
        refuse(description, request)  # before workers start
        k = n_envs // rows
        self.config = config
        self.max_episode_steps = config.max_steps
        """Of the longest episode."""
        observation = OBSERVATIONS[config.observation]
        self._start = StartMixture(config.starts, cars, config.replay_file)
        physics: dict[str, Any] = {
            "tick_skip": config.tick_skip,
            "mesh_dir": config.mesh_dir,
            "flips": observation.reads_flips,
        }
        self.matches: Matches | MatchWorkers = (
            MatchWorkers(request.workers, k, config.blue, config.orange, **physics)
            if request.workers
            else Matches(k, config.blue, config.orange, **physics)
        )
        self._observer = observation(k, self.matches.orange, config.tick_skip / TICKS_PER_SECOND)
        self._parser = ACTIONS[config.actions]()
        episodes = EpisodeSeeds(k, request.seed, request.split, alike=request.alike)
        super().__init__(description, request, self._observer.space, self._parser.space, episodes=episodes)
        self._k, self._n, self._cars = k, rows, cars
        self.matches.rows[rows:] = False
        self._others = np.arange(rows, cars)
        self._opponent = None if rows == cars else self._driver(config)
        self._report_states = "states" in request.report
        self._events = request.events if "events" in request.report else ()
        self._episode_seeds = np.zeros(k, np.int64)
        self._steps = np.zeros(k, np.int64)
        self._idle = np.zeros(k, np.int64)
        limit = config.no_touch_seconds
        self._idle_limit = None if limit is None else max(1, round(limit * TICKS_PER_SECOND / config.tick_skip))
        self._tally = np.zeros((k, rows, len(STATISTICS))) if "stats" in request.report else None
        self._actions: Array = np.zeros(0)
        self.states: MatchStates = self.matches.states()

    def reset(self) -> Array:
        """Start new episodes everywhere and return their first observations."""
        self.reset_infos = [{} for _ in range(self.num_envs)]
        arenas = np.arange(self._k)
        for arena in arenas.tolist():
            self._begin(arena)
        return self._after_begin(arenas)

    def begin(self, arena: int, start: Start) -> Array:
        """Put one arena into a situation of the caller's; all observations (rows, ...)."""
        self._place(arena, start)
        self.reset_infos = self.reset_infos or [{} for _ in range(self.num_envs)]
        return self._after_begin(np.array([arena]))

    def begin_seeded(self, arena: int, episode_seed: int) -> Array:
        """Start the episode of this seed in one arena, and return all observations (rows, ...)."""
        self._play(arena, episode_seed)
        return self._after_begin(np.array([arena]))

    def _driver(self, config: MatchConfig) -> Driver:
        if str(config.opponent) in BOTS:
            return BOTS[str(config.opponent)]()
        return FrozenAgent(
            config.opponent,
            config.observation,
            config.actions,
            self._k,
            self.matches.orange,
            config.tick_skip,
            config.trust is True,
        )

    def _begin(self, arena: int) -> None:
        self._play(arena, self.episodes.next(arena))

    def _play(self, arena: int, seed: int) -> None:
        self._episode_seeds[arena] = seed
        self._place(arena, self._start(np.random.default_rng(seed), self.matches.orange))

    def _place(self, arena: int, start: Start) -> None:
        self.matches.reset(arena, start)
        self._steps[arena] = self._idle[arena] = 0
        if self._tally is not None:
            self._tally[arena] = 0.0

    def _after_begin(self, arenas: Array) -> Array:
        self._observer.begin(arenas)
        if self._opponent is not None:
            self._opponent.begin(arenas, self._episode_seeds[arenas])
        self.states = self.matches.states()
        for arena in arenas.tolist():
            for row in range(arena * self._n, (arena + 1) * self._n):
                self.reset_infos[row] = {"episode_seed": int(self._episode_seeds[arena])}
        if self._report_states:
            for info in self.reset_infos:
                info["states"] = self.states
        return self._observe()

    def step_async(self, actions: Array) -> None:
        actions = np.asarray(actions)
        if len(actions) != self.num_envs:
            raise ValueError(f"actions have shape {actions.shape}; expected {self.num_envs} of them")
        self._actions = self._parser(actions)

    def step_wait(self) -> VecEnvStepReturn:
        n = self._n
        controls = self._all_controls()
        self._observer.acted(controls)
        if self._opponent is not None:
            self._opponent.acted(controls)
        states = self.states = self.matches.step(controls)
        self._steps += 1
        self._idle = np.where(states.touched.any(axis=1), 0, self._idle + 1)
        if self._tally is not None:
            for column, event in enumerate(STATISTICS.values()):
                self._tally[..., column] += states.events[event][:, :n]
        goal = scored(states)
        terminated = goal != 0
        over_time = self._steps >= self.config.max_steps
        if self._idle_limit is not None:
            over_time |= self._idle >= self._idle_limit
        truncated = over_time & ~terminated
        rewards = (goal[:, None] * np.where(self.matches.orange[:n], -1.0, 1.0)).astype(np.float32)
        done = np.repeat(terminated | truncated, n)
        observations = self._observe()
        infos: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        if self._report_states:
            for info in infos:
                info["states"] = states
        for row, names in self._happened(states):
            infos[row]["events"] = names
        if done.any():
            observations = self._finish(observations, infos, np.flatnonzero(terminated | truncated), truncated, rewards)
        return observations, rewards.reshape(-1), done, infos

    def _finish(
        self, observations: Array, infos: list[dict[str, Any]], ended: Array, truncated: BoolArray, rewards: Array
    ) -> Array:
        for arena in ended.tolist():
            for car in range(self._n):
                row = arena * self._n + car
                info = infos[row]
                info["terminal_observation"] = observations[row]
                info["TimeLimit.truncated"] = bool(truncated[arena])
                info["is_success"] = bool(rewards[arena, car] > 0)
                info["episode_seed"] = int(self._episode_seeds[arena])
                if self._tally is not None:
                    counts = dict(zip(STATISTICS, self._tally[arena, car].tolist(), strict=True))
                    info["stats"] = {"touched": float(counts["touches"] > 0), **counts}
            self._begin(arena)
        return self._after_begin(ended)

    def _happened(self, states: MatchStates) -> list[tuple[int, tuple[str, ...]]]:
        names_by_row: dict[int, list[str]] = {}
        for name in self._events:
            for row in np.flatnonzero(states.events[name][:, : self._n].reshape(-1)).tolist():
                names_by_row.setdefault(row, []).append(name)
        return [(row, tuple(names)) for row, names in names_by_row.items()]

    def _observe(self) -> Array:
        observed = self._observer(self.states, self._time_left)[:, : self._n]
        return observed.reshape(self.num_envs, *observed.shape[2:])

    @property
    def _time_left(self) -> Array:
        return 1.0 - self._steps / self.config.max_steps

    def _all_controls(self) -> Array:
        """(K, N, 8): the rows' actions and those of whoever drives the other cars."""
        controls = self._actions.reshape(self._k, self._n, 8)
        if self._opponent is None:
            return controls
        return np.concatenate([controls, self._opponent(self.states, self._others, self._time_left)], axis=1)

    def action_masks(self) -> BoolArray:
        """(rows, actions): False where it does no more than another: boost gone, a jump in vain."""
        states, n = self.states, self._n
        ground, boost, flip = (array[:, :n].reshape(-1) for array in (states.on_ground, states.boost, states.has_flip))
        return self._parser.masks(ground, boost, flip)

    def actions_of(self, driver: Driver, starts: BoolArray) -> Array:
        """The rows' actions that come nearest to what a driver would do.

        Args:
            driver: always the same one, who is told of episodes.
            starts: (rows,) which begin an episode now.
        """
        arenas = np.flatnonzero(starts.reshape(self._k, self._n).any(axis=1))
        if len(arenas):
            driver.begin(arenas, self._episode_seeds[arenas])
        return self._parser.nearest(driver(self.states, np.arange(self._n), self._time_left).reshape(-1, 8))

    def frame(self, index: int) -> Array:
        """One arena from above."""
        from envs.rocket.rendering import picture

        return picture(self.states, index)

    def close(self) -> None:
        """Let go of the arenas."""
        self.matches.close()
