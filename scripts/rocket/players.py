"""Who plays: bots and agents of run directories, by the words of a command line."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from agents import Player
from envs.rocket import TASKS, MatchConfig
from envs.rocket.bots import BOTS
from envs.rocket.contest import MakeDriver
from envs.rocket.drivers import PlayerDriver
from envs.typing import Array, BoolArray
from foundation.checks import number
from scripts.running.checkpoints import checkpoint_at
from scripts.running.run_directory import Run, load_run


def player(word: str, *, trust: bool = False) -> tuple[str, MakeDriver]:
    """A name and what makes its driver, from the command line's word.

    An agent sees, does and decides as often as it was trained to.

    Args:
        word: a bot, a run directory or one of its checkpoints, maybe with NAME: before it.
        trust: let a run execute code, see `load_run`.

    Raises:
        Untrusted: the run was made elsewhere, names code, and is not trusted.
        ValueError: it is neither a bot nor a run of an agent that plays Rocket.
    """
    name, colon, what = word.partition(":")
    if not colon:
        name, what = Path(word).name, word
    if what in BOTS:
        return name, lambda k, orange: BOTS[what]()
    run = _run(word, Path(what), trust)
    match = _match(run)
    model = run.load_agent()
    return name, lambda k, orange: PlayerDriver(
        Cars(run, model), match.observation, match.actions, k, orange, match.tick_skip
    )


def _run(word: str, folder: Path, trust: bool) -> Run:
    """The run of a folder, with its newest checkpoint, or with the one that the folder is."""
    past = folder.parent.name == "checkpoints" and folder.is_dir()
    directory = folder.parent.parent if past else folder
    if not (directory / "config.yaml").is_file():
        raise ValueError(
            f"{word}: expected a bot ({', '.join(BOTS)}), the run directory of an agent, or one of its checkpoints "
            "(RUN/checkpoints/step_...)"
        )
    run = load_run(directory, trust=trust)
    return replace(run, checkpoint=checkpoint_at(folder)) if past else run


def refuse_seed(seed: int) -> None:
    """Raises ValueError for what numpy and torch cannot both be seeded with."""
    number("seed", seed, least=0, most=2**32 - 1)


class Cars:
    """The agent of a run at play, with sampled actions, for as many cars as it is first shown."""

    def __init__(self, run: Run, model: Any) -> None:
        self._run, self._model = run, model
        self._player: Player | None = None
        self._masks: BoolArray = np.zeros(0, np.bool_)

    def __call__(self, observations: Array, starts: BoolArray, masks: BoolArray) -> Array:
        """See `envs.rocket.drivers.Player`; agents that know no masks do not ask for them."""
        self._masks = masks
        if self._player is None:
            self._player = self._run.agent.player(
                self._model, len(observations), deterministic=False, masks=lambda: self._masks
            )
        self._player.begin(starts)
        return self._player(observations)


def _match(run: Run) -> MatchConfig:
    """What the agent of a run was trained on."""
    env = run.config.env
    task = f"breadcrumb/{env.id.removeprefix('breadcrumb/')}"
    if task not in TASKS:
        raise ValueError(f"{run.path}: its agent plays {env.id}, which is no Rocket task")
    return MatchConfig(**{**TASKS[task], **env.kwargs, "opponent": "self"})
