"""Who plays: bots and agents of run directories, by the words of a command line."""

from __future__ import annotations

from pathlib import Path

from envs.rocket import TASKS, MatchConfig
from envs.rocket.bots import BOTS
from envs.rocket.contest import MakeDriver
from envs.rocket.drivers import FrozenAgent
from scripts.running.checkpoints import latest_checkpoint
from scripts.running.run_directory import load_run


def player(word: str) -> tuple[str, MakeDriver]:
    """A name and what makes its driver, from the command line's word.

    Raises:
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
    observation, actions = _seen_and_done(folder)
    checkpoint = latest_checkpoint(folder / "checkpoints")
    if checkpoint is None:
        raise ValueError(f"{word}: the run has no checkpoint yet")
    path = checkpoint.path / "agent.zip"
    return name, lambda k, orange: FrozenAgent(path, observation, actions, k, orange)


def _seen_and_done(run_dir: Path) -> tuple[str, str]:
    """What the agent of a run observes and does, by name."""
    config = load_run(run_dir).config
    task = f"breadcrumb/{config.env.id.removeprefix('breadcrumb/')}"
    if task not in TASKS:
        raise ValueError(f"{run_dir}: its agent plays {config.env.id}, which is no Rocket task")
    match = MatchConfig(**{**TASKS[task], **config.env.kwargs, "opponent": "self"})
    return match.observation, match.actions
