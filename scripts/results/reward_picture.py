"""What a run's learned reward says: over two numbers of the observation, and along its episodes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from gymnasium import spaces

from agents import action_masks
from foundation.files import whole_file
from foundation.naming import unknown
from scripts.results.figures import COLOURS, figure
from scripts.running.run_directory import Run
from shaping.terms import Array, BoolArray, FloatArray, RewardTerm, Transitions, registry

LEVELS = 40


@dataclass(frozen=True)
class Reward:
    """A learned reward, looked at.

    Attributes:
        term: its name.
        along: (steps,) what each step of the episodes would be paid now.
        over: (steps,) an episode ended there.
        places: (2, points) the values of the two numbers; None: observations are no row of numbers.
        axes: which numbers they are.
        action: what is done in `reward`.
        reward: (points, points) at [y, x].
        slope: (points, points) norm of its gradient over the two.
        visited: (steps, 2) the two numbers, where the episodes came.
        observations: (steps, width); None like `places`.
    """

    term: str
    along: FloatArray
    over: BoolArray
    places: FloatArray | None = None
    axes: tuple[int, int] = (0, 1)
    action: Any = None
    reward: FloatArray | None = None
    slope: FloatArray | None = None
    visited: FloatArray | None = None
    observations: Array | None = None


def chosen_term(run: Run, name: str | None) -> str:
    """The term to look at, by its name or because there is no other.

    Raises:
        ValueError: none of that name whose reward can be asked for, or several to choose from.
    """
    fit = [term for term in run.config.shaping.terms if registry.get(term).rescore is not RewardTerm.rescore]
    if name is not None:
        if name not in fit:
            raise unknown("term whose learned reward can be asked for", name, fit)
        return name
    if len(fit) != 1:
        raise ValueError(
            f"expected one term whose learned reward can be asked for; there are {fit or 'none'}: say term="
        )
    return fit[0]


def look(
    run: Run, term: str, *, axes: tuple[int, int], action: Sequence[float], points: int, episodes: int, seed: int
) -> Reward:
    """Play, and ask the term.

    Args:
        run: whose newest checkpoint plays and pays.
        term: its name.
        axes: the two numbers of the observation.
        action: what is done over them; empty: the median, or most frequent, of what was done.
        points: along each of the two.
        episodes: to play.
        seed: of them.

    Raises:
        ValueError: numbers that no observation has, or an action that is not in its space.
    """
    env = run.experiment().build_env(split="eval", n_envs=1, workers=0, seed=seed)
    try:
        space = env.venv.observation_space
        _refuse_axes(space, axes)
        env.load_learned(run.state()["shaping"])
        model = run.load_agent()
        player = run.agent.player(model, env.num_envs, deterministic=False, masks=action_masks(env))
        steps: list[Transitions] = []
        observations, finished = env.reset(), 0
        while finished < episodes:
            observations, _, dones, _ = env.step(player(observations))
            player.begin(dones)
            finished += int(np.count_nonzero(dones))
            steps += list(env.take_rollout())
        played = _joined(steps)
        asked = env.shaper.terms[term]
        along, over = asked.rescore(played), played.terminated | played.truncated
        if not _is_row(space):
            return Reward(term, along, over)
        assert not isinstance(played.observations, dict)
        done = _action(env.action_space, action, played.actions)
        seen = played.observations[:, list(axes)].astype(np.float64)
        low, high = seen.min(axis=0), seen.max(axis=0)
        room = 0.05 * np.where(high > low, high - low, 1.0)
        places = np.linspace(low - room, high + room, points, axis=1)
        x, y = np.meshgrid(*places)
        rows = np.tile(np.median(played.observations, axis=0), (points * points, 1))
        rows[:, axes[0]], rows[:, axes[1]] = x.ravel(), y.ravel()
        paid = asked.rescore(_still(rows.astype(space.dtype), done)).reshape(points, points)
        rises = np.gradient(paid, places[1], places[0])
        return Reward(term, along, over, places, axes, done, paid, np.hypot(*rises), seen, played.observations)
    finally:
        env.close()


def write(path: Path, reward: Reward) -> None:
    """The numbers, as .npz."""
    arrays = {name: value for name, value in vars(reward).items() if value is not None and name != "term"}
    with whole_file(path) as part:
        np.savez_compressed(part, **arrays)


def draw(path: Path, reward: Reward) -> None:
    """One picture of all that there is."""
    with figure(path, 1, 1 if reward.places is None else 3, 5.4, 4.2) as (drawing, axes):
        _draw_along(axes[-1], reward)
        if reward.places is None or reward.visited is None:
            return
        for panel, values, title in (
            (axes[0], reward.reward, f"reward, action {np.round(reward.action, 2).tolist()}"),
            (axes[1], reward.slope, "norm of its gradient over the two"),
        ):
            filled = panel.contourf(*reward.places, values, levels=LEVELS, cmap="viridis")
            drawing.colorbar(filled, ax=panel)
            panel.plot(*reward.visited.T, ".", color="white", markersize=2, alpha=0.6)
            panel.set_xlim(reward.places[0, 0], reward.places[0, -1])
            panel.set_ylim(reward.places[1, 0], reward.places[1, -1])
            panel.set_xlabel(f"observation {reward.axes[0]}")
            panel.set_ylabel(f"observation {reward.axes[1]}")
            panel.set_title(title)
            panel.grid(visible=False)


def _draw_along(panel: Any, reward: Reward) -> None:
    panel.plot(reward.along, color=COLOURS[0], linewidth=1.2)
    for end in np.flatnonzero(reward.over):
        panel.axvline(end + 0.5, color=COLOURS[-1], linewidth=0.8, linestyle=":")
    panel.set_xlabel("steps; dotted: an episode ends")
    panel.set_title(f"{reward.term}, along episodes")


def _is_row(space: spaces.Space[Any]) -> bool:
    return isinstance(space, spaces.Box) and len(space.shape) == 1 and space.shape[0] > 1


def _refuse_axes(space: spaces.Space[Any], axes: tuple[int, int]) -> None:
    if not _is_row(space):
        return
    width = (space.shape or (0,))[0]
    if max(axes) >= width or axes[0] == axes[1]:
        raise ValueError(f"x={axes[0]} and y={axes[1]}: expected two different numbers from 0 to {width - 1}")


def _action(space: spaces.Space[Any], given: Sequence[float], done: Array) -> Array:
    """One action of the space."""
    if given:
        action = np.reshape(np.array(given), space.shape or ()).astype(space.dtype)
        if not space.contains(action if space.shape else action[()]):
            raise ValueError(f"action={','.join(map(str, given))}: expected one of {space}")
        return action
    if isinstance(space, spaces.Box):
        return np.asarray(np.median(done, axis=0), space.dtype)
    kinds, counts = np.unique(done, axis=0, return_counts=True)
    return np.asarray(kinds[counts.argmax()])


def _still(rows: Array, action: Array) -> Transitions:
    """Steps that stay where they are: what is judged is then the place, before and after."""
    n = len(rows)
    no = np.zeros(n, np.bool_)
    return Transitions(rows, np.repeat(action[None], n, axis=0), np.zeros(n), rows, no, no, [{}] * n)


def _joined(steps: Sequence[Transitions]) -> Transitions:
    """Many steps of one environment as one batch."""

    def below(field: str) -> Any:
        values = [getattr(step, field) for step in steps]
        if isinstance(values[0], dict):
            return {key: np.concatenate([value[key] for value in values]) for key in values[0]}
        return np.concatenate(values)

    fields = ("observations", "actions", "rewards", "next_observations", "terminated", "truncated")
    columns = {field: below(field) for field in fields}
    return Transitions(**columns, infos=[{}] * sum(map(len, steps)))
