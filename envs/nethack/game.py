"""One NetHack game whose observations nle writes straight into rows of somebody else's arrays.

A `Game` holds nle's or minihack's own environment as the definition of the task (actions, rewards,
ends) and drives nle's binding itself. It repairs, once for everything above it, what nle 1.3.0 does
to observations:

- `reset(seed=)` is ignored by both packages: the seeds of an episode are set here, level generator
  included, and neither the machine's clock nor the scores of earlier games reach it;
- screens that end in --More-- are skipped and their messages lost: `messages` keeps them;
- the screen is blank once the hero has died: the last one with a living game is put back;
- buffers are reused between steps: callers own the arrays and know it.
"""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from nle import nethack

from envs.nethack.kernels import GAME_OVER, IN_GETLIN, IN_MOVELOOP, IN_YN_FUNCTION, WAITING_FOR_SPACE
from envs.nethack.library import keeper
from envs.nethack.tasks import stock_environment
from envs.typing import Array

SPACE = ord(" ")
ESCAPE = nethack.C("[")
QUESTIONS_FOR_THE_AGENT = (b"eat", b"attack", b"direction?", b"pray")  # nle.env.base.SKIP_EXCEPTIONS
ALWAYS_READ = ("glyphs", "blstats", "message", "program_state", "internal")


class NetHackError(RuntimeError):
    """A game could not go on: names the environment, its episode seed and its last action."""


def game_seeds(episode_seed: int) -> tuple[int, int]:
    """NetHack's two generators (core, display) for an episode seed."""
    core, display = np.random.SeedSequence(episode_seed).generate_state(2, np.uint64) >> np.uint64(1)
    return int(core), int(display)


class Game:
    """One game of a task.

    Args:
        env_id: the task.
        level_seed: fixes the map of every episode (nle's `lgen`); the episode's seed then only
            varies the play.
        record_to: a folder for ttyrec recordings, None for none.
        record_every: one episode in so many is recorded.
        task: keyword arguments of nle's or minihack's constructor (penalty_step, reward_lose,
            max_episode_steps, actions ...).
    """

    def __init__(
        self,
        env_id: str,
        *,
        level_seed: int | None = None,
        record_to: str | None = None,
        record_every: int = 1,
        task: Mapping[str, Any] | None = None,
    ) -> None:
        recording = {"save_ttyrec_every": record_every, "savedir": record_to} if record_to else {}
        self.stock = stock_environment(env_id, fix_moon_phase=True, **recording, **(task or {}))
        self.level_seed = level_seed
        self.messages: list[bytes] = []
        self._dying = False
        self._let_go: Callable[[], object] | None = None
        self._binding = self.stock.nethack._pynethack
        self._scores = os.path.join(self.stock.nethack._vardir, "record")
        keeps = keeper()
        if keeps is not None:
            # Also for a game that is dropped without being closed: its library must not outlive it.
            self._let_go = weakref.finalize(self, keeps.let_go, keeps.keep(self.stock.nethack.dlpath))
        self.questions: tuple[bytes, ...] = QUESTIONS_FOR_THE_AGENT
        self.press = self._binding.step
        self.is_done = self._binding.done

    def bind(self, rows: Mapping[str, Array]) -> None:
        """Have nle write into these arrays (one game's rows) from the next reset on."""
        self.rows = dict(rows)
        self._internal, self._program_state = self.rows["internal"], self.rows["program_state"]
        self._message = self.rows["message"]
        self._binding.set_buffers(**self.rows)

    def reset(self, episode_seed: int) -> None:
        """Start the episode of this seed and go on to the first screen that takes a command.

        Raises:
            NetHackError: when the game does not get that far.
        """
        self._set_seeds(episode_seed)
        self.messages.clear()
        stock = self.stock
        if hasattr(stock, "minigrid_env"):  # MultiRoom: the rooms come from minigrid, compiled anew for each episode
            stock.minigrid_env.reset(seed=episode_seed)
            stock.update(stock.get_env_desc())
        if os.path.getsize(self._scores):  # the names of dead heroes come back on statues and corpses
            os.truncate(self._scores, 0)
        stock._episode += 1
        if stock.savedir and stock._episode % stock._save_ttyrec_every == 0:
            self._binding.reset(stock._ttyrec_pattern % stock._episode)
        else:
            self._binding.reset()
        for _ in range(1000):
            if self._program_state[IN_MOVELOOP]:
                return
            self.press(SPACE)
        raise NetHackError(f"{type(stock).__name__} shows no map after 1000 key presses (episode seed {episode_seed})")

    def _set_seeds(self, episode_seed: int) -> None:
        core, display = game_seeds(episode_seed)
        self._binding.set_initial_seeds(core, display, False, self.level_seed)

    def settle(self, terminal: Mapping[str, Array]) -> bool:
        """Answer --More-- and the questions kept from the agent, as nle does; True when it is over.

        What is overwritten while the game ends is kept: after True, `terminal` holds the last
        screen of the living game.
        """
        done = bool(self.is_done())
        self._dying = False
        while not done:
            if self._internal[WAITING_FOR_SPACE]:
                self.keep_message()
                self._keep_screen(terminal)
                self.press(SPACE)
                done = self.is_done()
                continue
            if self._internal[IN_GETLIN]:
                self._keep_screen(terminal)
                self.press(ESCAPE)
                done = self.is_done()
                continue
            if self._internal[IN_YN_FUNCTION]:
                if self.stock._allow_all_yn_questions:
                    break
                message = self._message.tobytes()
                if any(question in message for question in self.questions):
                    break
                self._keep_screen(terminal)
                self.press(ESCAPE)
                done = self.is_done()
            break
        return bool(done)

    def keep_message(self) -> None:
        """Remember the message on the screen, which a key press is about to remove."""
        text = self._message.tobytes().rstrip(b"\0")
        if text:
            self.messages.append(text)

    def _keep_screen(self, terminal: Mapping[str, Array]) -> None:
        """The first screen of a dying game still shows the map; those after it lists and scores."""
        if self._dying or not self._program_state[GAME_OVER]:
            return
        self._dying = True
        for key, row in self.rows.items():
            terminal[key][...] = row

    @property
    def recordings(self) -> list[str]:
        """The ttyrec files written so far, oldest first."""
        folder = self.stock.savedir
        if not folder:
            return []
        return sorted(os.path.join(folder, name) for name in os.listdir(folder) if ".ttyrec" in name)

    def close(self) -> None:
        """End the game and free its library and folder."""
        self.stock.close()
        if self._let_go is not None:
            self._let_go()
