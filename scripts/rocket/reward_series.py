"""A kinesthetic reward over recorded matches: step by step, as distributions, as correlations."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from gymnasium import spaces

from envs.rocket.matches import scored
from envs.rocket.recording import Recording
from envs.rocket.simulator import TICKS_PER_SECOND
from envs.rocket.states import MatchStates
from foundation.checks import number
from scripts.results.figures import COLOURS, figure, look, short_text
from scripts.rocket.reward_field import BLUE, ORANGE
from shaping.kinesthetic import KinestheticTerm
from shaping.terms import Array, BoolArray, FloatArray, Setting, Transitions

GAMMA = 0.99  # an agent's discount, unless told
MOST_SERIES = 6  # components drawn as series; distributions and correlations have all


@dataclass(frozen=True)
class Arguments:
    """The command line's arguments: those of the term, by its names, and where to."""

    reward: str = "lucy"
    events: str = "none"
    form: str = "direct"
    discount: str = "one"
    gamma: float | None = None
    terminal: str = "keep"
    negative_slope: float = 1.0
    team_spirit: float | None = None
    out: str = "outputs/reward"

    def __post_init__(self) -> None:
        if self.gamma is not None:
            number("gamma", self.gamma, least=0.0, most=1.0)
            if self.discount != "agent":
                raise ValueError(f"gamma={self.gamma} is the agent's discount, which is read with discount=agent")
        if self.form == "direct":
            for name in ("discount", "terminal", "negative_slope"):
                if (value := getattr(self, name)) != getattr(Arguments, name):
                    raise ValueError(f"{name}={value} is of the potential form: give form=potential, too")

    def term(self) -> KinestheticTerm:
        """The term that pays.

        Raises:
            ValueError: what it refuses.
        """
        given: dict[str, Any] = {field.name: getattr(self, field.name) for field in fields(self)}
        return KinestheticTerm(**{name: value for name, value in given.items() if name not in ("gamma", "out")})


@dataclass(frozen=True)
class Series:
    """A reward over recorded matches.

    Attributes:
        names: "reward", what is paid, then what it is made of.
        values: (steps, cars, names).
        match, step: (steps,).
        seconds: between steps.
        goals: (steps,) 1 where blue scored, -1 where orange did.
        orange: (cars,).
    """

    names: list[str]
    values: FloatArray
    match: FloatArray
    step: FloatArray
    seconds: float
    goals: FloatArray
    orange: BoolArray


def over_recordings(term: KinestheticTerm, recordings: Sequence[Recording], gamma: float = GAMMA) -> Series:
    """What the term pays, step by step, for every car, and what that is made of.

    Args:
        term: any form; of the potential form Φ is told, too, as the first component.
        recordings: of the same teams.
        gamma: the agent's discount, which discount="agent" takes.

    Raises:
        ValueError: recordings of different teams or steps.
    """
    first = recordings[0]
    rows: list[FloatArray] = []
    match, step, goals = [], [], []
    names: list[str] = []
    for point, recording in enumerate(recordings, 1):
        if recording.tick_skip != first.tick_skip or not np.array_equal(recording.orange, first.orange):
            raise ValueError("recordings of different teams or tick_skip cannot be drawn together: give them apart")
        start, *played = recording.play()
        cars = len(first.orange)
        term.bind(Setting(cars, _NOTHING, _NOTHING, gamma, seed=0))
        term.reset(np.zeros(cars), [{"states": start}] * cars, np.ones(cars, np.bool_))
        for index, now in enumerate(played, 1):
            goal = float(scored(now)[0])
            paid = term(_transitions(now, over=goal != 0))
            parts = {"Φ": term.potential, **term.components} if term.form == "potential" else term.components
            names = ["reward", *parts]
            rows.append(np.stack([paid, *(values[0] for values in parts.values())], axis=-1))
            match.append(point)
            step.append(index)
            goals.append(goal)
    return Series(
        names, np.stack(rows), np.array(match), np.array(step), first.tick_skip / TICKS_PER_SECOND, np.array(goals),
        first.orange,
    )  # fmt: skip


_NOTHING = spaces.Box(0.0, 1.0, (1,))  # the term reads neither observations nor actions


def _transitions(states: MatchStates, over: bool) -> Transitions:
    cars = len(states.orange)
    nothing = np.zeros(cars)
    ends = np.full(cars, over), np.zeros(cars, np.bool_)
    return Transitions(nothing, nothing, nothing, nothing, *ends, [{"states": states}] * cars)


def car_names(orange: BoolArray) -> list[str]:
    """Of every car, blue before orange.

    >>> car_names(np.array([False, False, True]))
    ['blue-0', 'blue-1', 'orange-0']
    """
    blue = int((~orange).sum())
    return [f"blue-{i}" for i in range(blue)] + [f"orange-{i}" for i in range(len(orange) - blue)]


def as_csv(series: Series) -> str:
    """One row a step and car."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["match", "step", "seconds", "car", *series.names])
    cars = car_names(series.orange)
    for match, step, values in zip(series.match, series.step, series.values, strict=True):
        for car, row in zip(cars, values.tolist(), strict=True):
            writer.writerow([match, step, f"{step * series.seconds:.4f}", car, *(f"{value:.6g}" for value in row)])
    return text.getvalue()


def draw_series(path: Path, series: Series, title: str) -> None:
    """The reward of every car, then the liveliest components below it; goals are lines."""
    spread = series.values[..., 1:].std(axis=(0, 1))
    shown = [0, *(1 + index for index in np.argsort(-spread)[:MOST_SERIES])]
    time = np.arange(len(series.values)) * series.seconds
    with figure(path, len(shown), 1, 10.0, 1.7) as (_, axes):
        for place, column in zip(axes, shown, strict=True):
            for car, name in enumerate(car_names(series.orange)):
                colour = (ORANGE if series.orange[car] else BLUE) if column == 0 else look(car)["color"]
                place.plot(time, series.values[:, car, column], label=name, linewidth=1.1, color=colour)
            for moment in np.flatnonzero(series.goals):
                place.axvline(time[moment], color=BLUE if series.goals[moment] > 0 else ORANGE, linestyle=":")
            for moment in np.flatnonzero(np.diff(series.match)) + 1:
                place.axvline(time[moment], color="#333840", linewidth=0.8)
            place.set_title(short_text(title if column == 0 else series.names[column], 90), fontsize=9)
            place.margins(x=0.005)
        axes[0].legend(loc="upper left", ncols=6, fontsize=8)
        axes[-1].set_xlabel("seconds; dotted: a goal, in the scorer's colour; solid: the next point")


def draw_distributions(path: Path, series: Series) -> None:
    """How often which value, of each team: a box for the middle half, whiskers for 5 to 95 %.

    Constants are left out.
    """
    names, columns = _varying(series)
    with figure(path, 1, 1, 9.0, 0.45 * len(names) + 1.4) as (_, (axes,)):
        for team, (name, colour) in enumerate((("blue", BLUE), ("orange", ORANGE))):
            cars = series.orange == bool(team)
            if not cars.any():
                continue
            values = series.values[:, cars].reshape(-1, len(series.names))[:, columns]
            places = np.arange(len(names)) + (team - 0.5) * 0.36
            boxes = axes.boxplot(
                values, positions=places, orientation="horizontal", widths=0.3, whis=(5, 95), showfliers=False,
                patch_artist=True, showmeans=True, manage_ticks=False, label=name,
                meanprops={"marker": "o", "markerfacecolor": "white", "markeredgecolor": "#333840", "markersize": 4},
                medianprops={"color": "#333840"},
            )  # fmt: skip
            for box in boxes["boxes"]:
                box.set_facecolor(colour)
        axes.set_yticks(range(len(names)), names)
        axes.invert_yaxis()
        axes.axvline(0.0, color=COLOURS[-1], linewidth=0.8)
        axes.legend(loc="lower right")
        axes.set_title(f"{len(series.values):,} steps; line: median, dot: mean, whiskers: 5 to 95 %")


def draw_correlations(path: Path, series: Series) -> None:
    """Pearson's r of everything that varies."""
    names, columns = _varying(series)
    matrix = np.corrcoef(series.values.reshape(-1, len(series.names))[:, columns].T)
    size = max(4.5, 0.5 * len(names) + 2.8)
    with figure(path, 1, 1, size + 1.2, size) as (drawing, (axes,)):
        image = axes.imshow(matrix, cmap="RdBu", vmin=-1, vmax=1)
        axes.set_xticks(range(len(names)), names, rotation=45, ha="right", fontsize=8)
        axes.set_yticks(range(len(names)), names, fontsize=8)
        axes.grid(False)
        for (row, column), value in np.ndenumerate(matrix):
            strong = abs(value) > 0.6
            axes.text(column, row, f"{value:.1f}", ha="center", va="center", color="w" if strong else "k", size=7)
        drawing.colorbar(image, ax=axes, shrink=0.8)
        axes.set_title("Correlations over steps and cars")


def _varying(series: Series) -> tuple[list[str], Array]:
    """Names, short enough for an axis, and columns of what varies.

    Raises:
        ValueError: less than two things do.
    """
    columns = np.flatnonzero(series.values.std(axis=(0, 1)) > 1e-12)
    if len(columns) < 2:
        raise ValueError("less than two things vary here: record a longer match, or choose a richer reward")
    return [short_text(series.names[index], 44) for index in columns], columns
