"""Who plays: bots and agents of run directories, by the words of a command line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from agents import Player
from envs.rocket import TASKS, MatchConfig
from envs.rocket.bots import BOTS
from envs.rocket.contest import MakeDriver
from envs.rocket.drivers import PlayerDriver
from envs.typing import Array, BoolArray
from scripts.running.run_directory import Run, load_run


def player(word: str, *, trust: bool = False) -> tuple[str, MakeDriver]:
    """A name and what makes its driver, from the command line's word.

    Args:
        word: a bot or a run directory, maybe with NAME: before it.
        trust: let a run execute code, see `load_run`.

    Raises:
        Untrusted: the run was made elsewhere, names code, and is not trusted.
        ValueError: it is neither a bot nor a run of an agent that plays Rocket.
    """
    name, colon, what = word.partition(":")
    if not colon:
        name, what = Path(word).name, word
    if what in BOTS:
        return name, lambda k, orange: BOTS[what](seed=k)
    folder = Path(what)
    if not (folder / "config.yaml").is_file():
        raise ValueError(f"{word}: expected a bot ({', '.join(BOTS)}) or the run directory of an agent")
    run = load_run(folder, trust=trust)
    observation, actions = _seen_and_done(run)
    model = run.load_agent()
    return name, lambda k, orange: PlayerDriver(Cars(run, model), observation, actions, k, orange)


class Cars:
    """The agent of a run at play, with sampled actions, for as many cars as it is first shown."""

    def __init__(self, run: Run, model: Any) -> None:
        self._run, self._model = run, model
        self._player: Player | None = None

    def __call__(self, observations: Array, starts: BoolArray) -> Array:
        """Actions of all cars; `starts`: in whose arenas an episode begins."""
        if self._player is None:
            self._player = self._run.agent.player(self._model, len(observations), deterministic=False)
        self._player.begin(starts)
        return self._player(observations)


def _seen_and_done(run: Run) -> tuple[str, str]:
    """What the agent of a run observes and does, by name."""
    env = run.config.env
    task = f"breadcrumb/{env.id.removeprefix('breadcrumb/')}"
    if task not in TASKS:
        raise ValueError(f"{run.path}: its agent plays {env.id}, which is no Rocket task")
    match = MatchConfig(**{**TASKS[task], **env.kwargs, "opponent": "self"})
    return match.observation, match.actions
