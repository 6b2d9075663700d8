"""Many games in one process, stepped as one: the fast path under every face of the NetHack family.

A `GameBatch` owns `n` games. nle writes their observations into rows of batch arrays. What the
caller sees is made from these by compiled kernels, in the arrays of a wire, which may lie in shared
memory. One game costs a call into nle and nothing else in Python, unless it shows a --More--, asks
something or ends.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from nle import nethack

from envs.catalogue import EnvDescription
from envs.episode_seeds import SPLITS, EpisodeSeeds
from envs.nethack import captions, kernels
from envs.nethack.events import EVENTS, LADDER_DOWN, STAIRS_DOWN, EventDetector
from envs.nethack.events import READ as EVENTS_READ
from envs.nethack.game import ALWAYS_READ, Game, NetHackError
from envs.nethack.kernels import GAME_OVER, IN_GETLIN, IN_YN_FUNCTION, WAITING_FOR_SPACE
from envs.nethack.macros import ExtendedKeys, macro_for
from envs.nethack.observations import DEFAULT_ENTRIES, ObservationLayout
from envs.nethack.rendering import Renderer
from envs.nethack.rules import ABORTED, RUNNING, SUCCESS, PlainRules, StockRules
from envs.nethack.statistics import STATISTICS, EpisodeStatistics
from envs.nethack.tasks import minihack, task_arguments
from envs.typing import Array, IntArray
from foundation.checks import one_of, whole
from foundation.naming import unknown

FLOAT_REPORTS = ("stairs_distance", "explored", "depth")
TEXT_REPORTS = ("caption", "message", "action", "crop", "map")
REPORTS = frozenset({"events", "stats", *FLOAT_REPORTS, *TEXT_REPORTS})
TEXT_BYTES = {"caption": 512, "message": 1024, "action": 32, "crop": 2048, "map": 2048}
"""Longest text of a report, in UTF-8; what is longer is cut."""


@dataclass(frozen=True)
class BatchConfig:
    """Everything that says how a batch of games is built; the same in every worker process.

    Attributes:
        env_id: the task.
        observation_keys, crop_size: see `ObservationLayout`.
        report: info entries to compute, from `REPORTS`.
        events: the events to detect when "events" is reported.
        seed, split: where episode seeds come from; "train" and "eval" never share one.
        alike: every game has the episodes of the first.
        level_seed: one map for all episodes.
        max_episode_steps: the step limit, None for the task's own.
        record_to, record_every: ttyrec recordings, a folder an environment.
        task: further arguments of nle's or minihack's constructor.
    """

    env_id: str
    observation_keys: tuple[str, ...] = DEFAULT_ENTRIES
    crop_size: int = 9
    report: tuple[str, ...] = ()
    events: tuple[str, ...] = ()
    seed: int = 0
    split: str = "train"
    alike: bool = False
    level_seed: int | None = None
    max_episode_steps: int | None = None
    record_to: str | None = None
    record_every: int = 1
    auto_reset: bool = True
    task: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        EnvDescription(self.env_id, REPORTS, tuple(EVENTS)).refuse(self.report, self.events)
        one_of("split", self.split, SPLITS)
        if self.max_episode_steps is not None:
            whole("max_episode_steps", self.max_episode_steps)
        accepted = task_arguments(self.env_id) if self.task else None
        for name in self.task:
            if accepted is not None and name not in accepted:
                raise unknown(f"argument of {self.env_id}", name, sorted(accepted))

    @property
    def layout(self) -> ObservationLayout:
        return ObservationLayout(self.observation_keys, self.crop_size)

    def wire(self, n: int) -> dict[str, tuple[tuple[int, ...], np.dtype[Any]]]:
        """Names, shapes and types of the arrays through which `n` games speak to the outside."""
        spaces = self.layout.space().spaces
        arrays: dict[str, tuple[tuple[int, ...], Any]] = {}
        for key, box in spaces.items():
            assert box.shape is not None
            for name in ("observation", "terminal"):
                arrays[f"{name}/{key}"] = ((n, *box.shape), box.dtype)
        arrays |= {
            "reward": ((n,), np.float64), "terminated": ((n,), np.bool_), "truncated": ((n,), np.bool_),
            "status": ((n,), np.int64), "length": ((n,), np.int64), "episode": ((n,), np.int64),
            "seed": ((n,), np.int64), "ended_seed": ((n,), np.int64),
            "event": ((n, len(self.events)), np.bool_), "last_action": ((n,), np.int64),
        }  # fmt: skip
        if "stats" in self.report:
            arrays["stats"] = ((n, len(STATISTICS)), np.float64)
        for name in self.report:
            for when in ("report", "start"):
                if name in FLOAT_REPORTS:
                    arrays[f"{when}/{name}"] = ((n,), np.float64)
                elif name in TEXT_REPORTS:
                    arrays[f"{when}/{name}"] = ((n, TEXT_BYTES[name]), np.uint8)
        return {name: (shape, np.dtype(dtype)) for name, (shape, dtype) in arrays.items()}

    def allocate(self, n: int) -> dict[str, Array]:
        """The wire's arrays in this process's own memory."""
        return {name: np.zeros(shape, dtype) for name, (shape, dtype) in self.wire(n).items()}


def failure(wire: Mapping[str, Array], index: int, env: int, reason: str) -> str:
    """The words for an environment that died: which, why, episode seed, last action and step."""
    seed, action, length = (int(wire[name][index]) for name in ("seed", "last_action", "length"))
    return f"NetHack environment {env} failed: {reason} (episode seed {seed}, last action {action}, step {length})"


class GameBatch:
    """`n` games of one task in this process.

    Args:
        config: what to build.
        wire: arrays of `config.wire(n)`; written by `reset` and `step`.
        first: the index of the first game among all environments (for seeds, recordings and error
            messages).
        playing: an array of one integer that always holds the index of the game in nle's hands, for
            whoever finds us dead.
    """

    def __init__(
        self, config: BatchConfig, wire: Mapping[str, Array], first: int = 0, playing: IntArray | None = None
    ) -> None:
        self.config, self.wire, self.first = config, wire, first
        self._playing = np.zeros(1, np.int64) if playing is None else playing
        self.layout = config.layout
        n = len(wire["reward"])
        self.n = n
        self.episodes = EpisodeSeeds(
            n, config.seed, config.split, first=first, begun=wire["episode"], alike=config.alike
        )
        task = dict(config.task)
        if config.max_episode_steps is not None:
            task["max_episode_steps"] = config.max_episode_steps
        self.games: list[Game] = []
        self._renderers: dict[int, Renderer] = {}
        try:
            for index in range(n):
                folder = f"{config.record_to}/env_{first + index:03d}" if config.record_to else None
                self.games.append(
                    Game(
                        config.env_id,
                        level_seed=config.level_seed,
                        record_to=folder,
                        record_every=config.record_every,
                        task=task,
                    )
                )
            self._bind()
        except BaseException:
            self.close()
            raise

    def _bind(self) -> None:
        stock, n, report = self.games[0].stock, self.n, self.config.report
        macro = macro_for(stock)
        keys = set(ALWAYS_READ) | self.layout.sources | set(macro.keys if macro else ())
        if self.config.events:
            keys |= set(EVENTS_READ)
        if "caption" in report:
            keys |= set(captions.READ)
        if {"crop", "map"} & set(report):
            keys.add("chars")
        if not PlainRules.fit(stock):  # stock code reads whatever it asked nle for
            keys |= set(stock._observation_keys)
        described = {key: nethack.OBSERVATION_DESC[key] for key in sorted(keys)}
        self.raw = {key: np.zeros((n, *desc["shape"]), desc["dtype"]) for key, desc in described.items()}
        for entry, key in self.layout.copied().items():
            self.raw[key] = self.wire[f"observation/{entry}"]  # nle writes where the caller reads
        for index, game in enumerate(self.games):
            game.bind({key: array[index] for key, array in self.raw.items()})
        self.rules = PlainRules(self.games, self.raw) if PlainRules.fit(stock) else StockRules(self.games, self.raw)
        self._macros = [macro.bind(game) for game in self.games] if macro else None
        self._macro_action = macro.action(stock) if macro else -1
        self.actions = np.array([int(action) for action in stock.actions], np.int64)
        self.all_modes = bool(stock._allow_all_modes)
        presses: list[Callable[[int], object]] = [game.press for game in self.games]
        if ExtendedKeys.fit(stock):
            presses = [ExtendedKeys(game) for game in self.games]
            for game in self.games:
                game.questions = ExtendedKeys.questions
        self._hot = [
            (press, game.is_done, game.rows["internal"].data, game.rows["program_state"].data)
            for press, game in zip(presses, self.games, strict=True)
        ]
        self._screens = {key: np.zeros_like(array) for key, array in self.raw.items()}
        self._screen_rows = [{key: array[i] for key, array in self._screens.items()} for i in range(n)]
        self._all = np.arange(n)
        self._over = True
        self._done = np.zeros(n, np.bool_)
        self._done_before = self._ended_before = False
        self._text: list[bytes] = [b""] * n
        self._action_names = [captions.action_name(int(action)) for action in self.actions]
        self._written = {(when, name): [""] * n for when in ("report", "start") for name in TEXT_REPORTS}
        self._captioner = captions.Captioner(self.raw, self.actions) if "caption" in report else None
        self._events = EventDetector(self.config.events, self.raw) if self.config.events else None
        self._has_success = isinstance(stock, minihack.MiniHack) or hasattr(type(stock).StepStatus, "TASK_SUCCESSFUL")
        self._observation = {
            key.removeprefix("observation/"): array
            for key, array in self.wire.items()
            if key.startswith("observation/")
        }
        self._terminal = {
            key.removeprefix("terminal/"): array for key, array in self.wire.items() if key.startswith("terminal/")
        }
        self._statistics = EpisodeStatistics(self.raw) if "stats" in report else None
        self._read_text = bool(set(report) & {"caption", "message", "stats"}) or (
            self._events is not None and self._events.reads_text
        )

    def set_limit(self, max_episode_steps: int) -> None:
        """Change the step limit, for the task's own rules too."""
        for game in self.games:
            game.stock._max_episode_steps = max_episode_steps
        self.rules.set_limit(max_episode_steps)

    def set_seed(self, seed: int) -> None:
        """Begin another stream of episode seeds at the next reset."""
        self.episodes.restart(seed)

    @property
    def active(self) -> int:
        """The game that nle plays or played last."""
        return int(self._playing[0])

    @property
    def has_success(self) -> bool:
        """Does the task have a notion of success?"""
        return self._has_success

    @property
    def limit(self) -> int:
        """Steps after which an episode is cut."""
        return int(self.games[0].stock._max_episode_steps)

    @property
    def n_actions(self) -> int:
        """How many actions the task has."""
        return len(self.actions)

    def frame(self, index: int) -> Array:
        """The picture of one game, (376, 1264, 3) uint8."""
        if index not in self._renderers:
            self._renderers[index] = Renderer(self.games[index])
        return self._renderers[index].frame()

    # Episodes -------------------------------------------------------------------------------------

    def reset(self, episode_seeds: Sequence[int] | None = None) -> None:
        """Start a new episode in every game: of these seeds, or of the next ones of the stream."""
        for index in range(self.n):
            self._start(index, None if episode_seeds is None else episode_seeds[index])
        self._observe_starts(self._all)
        self._remember(restarted=True)
        self._over = False

    def _start(self, index: int, episode_seed: int | None) -> None:
        self._playing[0] = index
        if episode_seed is None:
            episode_seed = self.episodes.next(index)
        self.wire["seed"][index] = episode_seed
        self.games[index].reset(episode_seed)
        self.wire["length"][index] = 0
        self.rules.reset(index, episode_seed)

    def _observe_starts(self, rows: IntArray) -> None:
        self.layout.write(self.raw, rows, self._observation)
        if self._statistics is not None:
            self._statistics.begin(rows)
        for index in rows.tolist():
            self._text[index] = self._words(index)
        self._report("start", rows)

    def _remember(self, restarted: bool) -> None:
        if self._events is not None:
            self._events.remember(restarted)
        if self._captioner is not None:
            self._captioner.remember()

    # Steps ----------------------------------------------------------------------------------------

    def step(self, actions: IntArray) -> None:
        """One action (an index into the task's actions) for every game; results are in the wire.

        Raises:
            RuntimeError: where an episode is over and was not reset (only without auto_reset).
            NetHackError: when a game fails; names the environment, its episode seed and last
                action.
        """
        if self._over:
            raise RuntimeError("an episode is over: call reset() before the next step()")
        try:
            self._step(actions)
        except Exception as error:
            raise NetHackError(failure(self.wire, self.active, self.first + self.active, repr(error))) from error

    def _step(self, actions: IntArray) -> None:
        wire = self.wire
        wire["last_action"][:] = actions
        if self._macros is not None:
            for index in np.flatnonzero(actions == self._macro_action).tolist():
                self._playing[0] = index
                self._macros[index]()
        self.rules.before_step(actions)
        any_done = self._play(actions)
        wire["length"] += 1
        status = wire["status"]
        any_ended = self.rules.judge(wire["length"], self._done, wire["reward"], status)
        if any_done:
            for index in np.flatnonzero(self._done).tolist():
                for key, row in self.games[index].rows.items():
                    row[...] = self._screen_rows[index][key]
        self.layout.write(self.raw, self._all, self._observation)
        if self._statistics is not None:
            self._statistics.add(self._text)
        if self._events is not None:
            self._events.detect(self._text, wire["event"])
        if self.config.report:
            self._report("report", self._all)
        if any_ended:
            np.equal(status, ABORTED, out=wire["truncated"])
            np.logical_and(status != RUNNING, ~wire["truncated"], out=wire["terminated"])
            self._finish(np.flatnonzero(status))
        elif self._ended_before:
            wire["truncated"][:] = wire["terminated"][:] = False
        self._ended_before = bool(any_ended)
        self._remember(restarted=self._ended_before)

    def _play(self, actions: IntArray) -> bool:
        """Press every game's key and go on to where it takes a command; True when one is over.

        Game by game: what a game answers to --More-- is cheapest while its own memory is still in
        the cache.
        """
        codes, playing, done, patient = self.actions[actions].tolist(), self._playing, self._done, not self.all_modes
        any_done = False
        for index, (press, is_done, internal, program_state) in enumerate(self._hot):
            playing[0] = index
            press(codes[index])
            asks = internal[WAITING_FOR_SPACE] or internal[IN_YN_FUNCTION] or internal[IN_GETLIN]
            if (asks and patient) or program_state[GAME_OVER] or is_done():
                over = self.games[index].settle(self._screen_rows[index])
                done[index] = over
                any_done = any_done or over
            elif self._done_before:
                done[index] = False
        self._done_before = any_done
        if self._read_text:
            spoken = self.raw["message"][:, 0].tolist()
            for index, game in enumerate(self.games):
                self._text[index] = self._words(index) if spoken[index] or game.messages else b""
                game.messages.clear()
        return any_done

    def _words(self, index: int) -> bytes:
        shown = self.raw["message"][index].tobytes().rstrip(b"\0")
        return b" ".join([*self.games[index].messages, *([shown] if shown else [])])

    def _finish(self, ended: IntArray) -> None:
        wire = self.wire
        for key, array in self._observation.items():
            self._terminal[key][ended] = array[ended]
        wire["ended_seed"][ended] = wire["seed"][ended]
        if self._statistics is not None:
            wire["stats"][ended] = self._statistics.values(ended)
        self._over = True
        if self.config.auto_reset:
            for index in ended.tolist():
                self._start(index, None)
            self._observe_starts(ended)
            self._over = False

    # Reports --------------------------------------------------------------------------------------

    def _report(self, when: str, rows: IntArray) -> None:
        for name in self.config.report:
            if name in ("events", "stats"):
                continue
            out = self.wire[f"{when}/{name}"]
            if name == "stairs_distance":
                kernels.stairs_distance(self.raw["glyphs"], self.raw["blstats"], rows, STAIRS_DOWN, LADDER_DOWN, out)
                out[rows[self.raw["internal"][rows, kernels.ON_STAIRS_DOWN] != 0]] = 0.0
            elif name == "explored":
                kernels.share_seen(self.raw["glyphs"].reshape(self.n, -1), rows, nethack.GLYPH_CMAP_OFF, out)
            elif name == "depth":
                out[rows] = self.raw["blstats"][rows, nethack.NLE_BL_DEPTH]
            else:
                for index, text in zip(rows.tolist(), self._texts(name, when, rows), strict=True):
                    if text != self._written[when, name][index]:
                        self._written[when, name][index] = text
                        data = text.encode("utf-8", "replace")[: out.shape[1]]
                        out[index, : len(data)] = np.frombuffer(data, np.uint8)
                        out[index, len(data) :] = 0

    def _texts(self, name: str, when: str, rows: IntArray) -> list[str]:
        if name == "crop":
            return [captions.crop_text(self.raw, index, self.config.crop_size) for index in rows.tolist()]
        if name == "map":
            return [captions.map_text(self.raw, index) for index in rows.tolist()]
        if name == "message":
            return [captions.words([self._text[index]]) if self._text[index] else "" for index in rows.tolist()]
        if when == "start":
            return [captions.words([self._text[index]]) if name == "caption" else "" for index in rows.tolist()]
        if name == "action":
            return [self._action_names[action] for action in self.wire["last_action"][rows].tolist()]
        assert self._captioner is not None
        return self._captioner.captions(rows, self.wire["last_action"], self._text)

    def close(self) -> None:
        """End all games."""
        for game in self.games:
            game.close()
        self.games = []

    def outcome(self, index: int) -> bool | None:
        """Did the episode that just ended succeed? None where the task has no such notion."""
        return bool(self.wire["status"][index] == SUCCESS) if self._has_success else None
