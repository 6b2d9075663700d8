"""Look at a kinesthetic reward before training on it: over the field, and over recorded matches.

python -m scripts.analyse_reward reward=lucy [move=car] [ball=0,0,93] [car=0,-1000,17] [out=outputs/reward]
python -m scripts.analyse_reward RECORDING.npz... [reward=lucy] [events=lucy] [out=outputs/reward]

The first draws OUT/field.png: the blue car (move=car) or the ball (move=ball) is moved over the field at `height`, and
what the reward is there for that car is the colour; everything else stays where it is: ball, ball_velocity, car,
car_velocity (the car looks along it, else at +y), boost; opponent=X,Y,Z adds an orange car and team_spirit= what it
costs. OUT/field.npz has the numbers. The second plays recordings of scripts.match again and draws OUT/series.png
(reward and components, step by step), OUT/distributions.png and OUT/correlations.png; OUT/series.csv has the numbers.

reward= and events= are names or expressions, as of the kinesthetic term; events are what goals are marked with.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from envs.rocket.matches import TICKS_PER_SECOND
from envs.rocket.meshes import Field
from envs.rocket.recording import Recording
from envs.rocket.states import BIG_PADS, PADS
from scripts.figures import COLOURS, figure, look, short_text
from scripts.files import replace_text
from scripts.options import parse
from scripts.options import run as run_command
from shaping.kinesthetic import EVENTS, REWARDS, expression
from shaping.kinesthetic.composition import Expression
from shaping.kinesthetic.states import EVENTS as EVENT_NAMES
from shaping.kinesthetic.states import View
from shaping.kinesthetic.term import shares
from shaping.terms import Array, BoolArray, FloatArray

LEVELS = 80
REFINEMENTS = 6  # of the octagon's triangles: 16,577 places
BLUE, ORANGE = "#4084ff", "#ff8e24"
_WORDS: Any = {
    "textcoords": "offset points",
    "fontsize": 9,
    "bbox": {"boxstyle": "round,pad=0.15", "facecolor": "white", "edgecolor": "none", "alpha": 0.75},
}
MOST_SERIES = 6  # components drawn as series; distributions and correlations have all


@dataclass(frozen=True)
class Options:
    """The command line's options."""

    reward: str = "lucy"
    events: str = "none"
    move: str = "car"
    height: float = 300.0
    ball: tuple[float, ...] = (0.0, 0.0, 93.0)
    ball_velocity: tuple[float, ...] = (0.0, 0.0, 0.0)
    car: tuple[float, ...] = (0.0, -1000.0, 17.0)
    car_velocity: tuple[float, ...] = (0.0, 0.0, 0.0)
    boost: float = 0.33
    opponent: tuple[float, ...] = ()
    team_spirit: float | None = None
    out: str = "outputs/reward"

    def __post_init__(self) -> None:
        if self.move not in ("car", "ball"):
            raise ValueError(f"move={self.move!r}: expected car or ball")
        for name in ("ball", "ball_velocity", "car", "car_velocity", "opponent"):
            numbers = getattr(self, name)
            if (len(numbers) != 3 and not (name == "opponent" and not numbers)) or not np.isfinite(numbers).all():
                raise ValueError(f"{name}={','.join(map(str, numbers))}: expected three numbers, such as {name}=0,0,93")
        if not 0.0 <= self.boost <= 1.0:
            raise ValueError(f"boost={self.boost}: expected 0 to 1")
        if not 0.0 <= self.height <= Field().ceiling:
            raise ValueError(f"height={self.height}: expected 0 to {Field().ceiling:.0f}, the ceiling")
        if self.team_spirit is not None and not 0.0 <= self.team_spirit <= 1.0:
            raise ValueError(f"team_spirit={self.team_spirit}: expected 0 to 1")


# Over the field ------------------------------------------------------------------------------------------------------


def octagon() -> FloatArray:
    """(8, 2): the field's corners, counter-clockwise."""
    field = Field()
    cut, narrow = field.corner - field.side, field.corner - field.back
    quarter = np.array([[field.side, cut], [narrow, field.back]])
    half = np.concatenate([quarter, quarter[::-1] * [-1, 1]])
    return np.concatenate([half, -half])


def situation(options: Options, moved: FloatArray) -> Any:
    """One arena for every place (M, 2) to which the car or the ball is moved; see `MatchStates`."""
    m, velocity = len(moved), np.array(options.car_velocity)
    speed = float(np.linalg.norm(velocity))
    cars = [options.car, *([options.opponent] if options.opponent else [])]
    n = len(cars)
    forwards = [velocity / speed if speed > 0 else np.array([0.0, 1.0, 0.0]), np.array([0.0, -1.0, 0.0])][:n]
    ball, car = np.tile(options.ball, (m, 1)), np.tile(np.array(cars, np.float64), (m, 1, 1))
    places = np.column_stack([moved, np.full(m, options.height)])
    if options.move == "ball":
        ball = places
    else:
        car[:, 0] = places
    none = np.zeros((m, n))
    return SimpleNamespace(
        ball_position=ball,
        ball_velocity=np.tile(options.ball_velocity, (m, 1)),
        car_position=car,
        car_velocity=np.tile([velocity, np.zeros(3)][:n], (m, 1, 1)),
        car_forward=np.tile(forwards, (m, 1, 1)),
        boost=np.full((m, n), options.boost),
        on_ground=none == 0,
        demolished=none > 0,
        touched=none > 0,
        events=dict.fromkeys(EVENT_NAMES, none),
        orange=np.array([False, True][:n]),
        rows=np.array([True, True][:n]),
    )


def over_field(reward: Expression, options: Options, moved: FloatArray) -> FloatArray:
    """The blue car's reward (M,) for every place (M, 2)."""
    states = situation(options, moved)
    values = reward(View(states))
    if options.team_spirit is not None:
        values = values @ shares(states.orange, options.team_spirit)
    return np.asarray(values[:, 0])


def goal_values(events: Expression, options: Options) -> tuple[float, float]:
    """What a goal of the blue car pays it, and what one of the other team does."""
    found = []
    for names in (("goal", "team_goal"), ("concede",)):
        states = situation(options, np.zeros((1, 2)))
        happened = np.zeros_like(states.boost)
        happened[0, 0] = 1.0
        states.events = {**states.events, **dict.fromkeys(names, happened)}
        found.append(float(events(View(states))[0, 0]))
    return found[0], found[1]


def draw_field(path: Path, options: Options) -> None:
    """The filled contour with everything on the field; the numbers beside it as an .npz."""
    from matplotlib.patches import Polygon, Rectangle
    from matplotlib.ticker import MaxNLocator
    from matplotlib.tri import Triangulation, UniformTriRefiner

    reward, events = expression(options.reward, REWARDS, "reward"), expression(options.events, EVENTS, "events")
    ring, field = octagon(), Field()
    corners = np.concatenate([np.zeros((1, 2)), ring])
    fan = [[0, 1 + i, 1 + (i + 1) % len(ring)] for i in range(len(ring))]
    mesh = UniformTriRefiner(Triangulation(corners[:, 0], corners[:, 1], fan)).refine_triangulation(subdiv=REFINEMENTS)
    moved = np.column_stack([mesh.x, mesh.y])
    values = over_field(reward, options, moved)
    here = over_field(reward, options, np.array([(options.car if options.move == "car" else options.ball)[:2]]))[0]
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(path.with_suffix(".npz"), x=mesh.x, y=mesh.y, values=values, triangles=mesh.triangles)

    with figure(path, 1, 1, 7.8, 8.6) as (drawing, (axes,)):
        top = float(np.abs(values).max()) or 1.0
        signed = values.min() < 0
        low, high = (-top, top) if signed else (float(values.min()), float(values.max()))
        levels = np.linspace(low, high if high > low else low + 1.0, LEVELS + 1)
        filled = axes.tricontourf(mesh, values, levels=levels, cmap="RdBu" if signed else "viridis")
        if signed and values.max() > 0:
            axes.tricontour(mesh, values, levels=[0.0], colors="#333840", linewidths=0.8)
        bar = drawing.colorbar(filled, ax=axes, shrink=0.8, ticks=MaxNLocator(9))
        bar.set_label(f"reward of the blue car, {options.move} moved at {options.height:.0f} uu")
        axes.add_patch(Polygon(ring, fill=False, edgecolor="#333840", linewidth=1.2))
        for side, colour, value in zip((1, -1), (ORANGE, BLUE), goal_values(events, options), strict=True):
            depth, width = field.goal_back - field.back, field.goal_half_width
            low_y = field.back if side > 0 else -field.goal_back
            axes.add_patch(Rectangle((-width, low_y), 2 * width, depth, facecolor=colour, edgecolor="#333840"))
            if value:
                axes.text(0, side * (field.back + depth / 2), f"{value:+g}", ha="center", va="center", weight="bold")
        for big, size in ((False, 8), (True, 42)):
            x, y = PADS[big == BIG_PADS, :2].T
            axes.scatter(x, y, s=size, c="#ffd646", edgecolors="#333840", linewidths=0.5, zorder=3)
        _things(axes, options)
        place = options.car if options.move == "car" else options.ball
        axes.annotate(f"{here:+.3f} here", (place[0], place[1]), (-14, -16), **_WORDS)
        axes.set_xlim(field.side + 250, -field.side - 250)  # the game's axes are left-handed: +x is left
        axes.set_ylim(-field.goal_back - 150, field.goal_back + 150)
        axes.set_aspect("equal")
        axes.grid(False)
        axes.set_xlabel("x and y in uu; blue attacks upwards")
        axes.set_title(short_text(f"{options.reward}: {values.min():+.2f} to {values.max():+.2f}", 70))


def _things(axes: Any, options: Options) -> None:
    """Ball, cars and their velocities."""
    axes.scatter(*options.ball[:2], s=70, c="white", edgecolors="#333840", linewidths=1.5, zorder=5)
    axes.annotate("ball", options.ball[:2], (7, 5), **_WORDS)
    cars = [("car", options.car, options.car_velocity, BLUE)]
    if options.opponent:
        cars.append(("opponent", options.opponent, (0.0, 0.0, 0.0), ORANGE))
    for name, place, velocity, colour in cars:
        speed = float(np.linalg.norm(velocity))
        ahead = velocity if speed > 0 else (0.0, 1.0 if name == "car" else -1.0, 0.0)
        angle = math.degrees(math.atan2(ahead[1], -ahead[0])) - 90.0  # x is drawn to the left
        axes.scatter(*place[:2], s=130, c=colour, edgecolors="#333840", marker=(3, 0, angle), zorder=5)
        axes.annotate(name, place[:2], (8, -4), **_WORDS)
    for place, velocity in ((options.car, options.car_velocity), (options.ball, options.ball_velocity)):
        if np.linalg.norm(velocity[:2]) > 0:
            axes.annotate(
                "",
                xy=(place[0] + velocity[0] / 2, place[1] + velocity[1] / 2),
                xytext=place[:2],
                arrowprops={"arrowstyle": "->", "linewidth": 1.6, "color": "#333840"},
                zorder=6,
            )


# Over recorded matches -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Series:
    """A reward over recorded matches.

    Attributes:
        names: "reward", then its components.
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


def over_recordings(reward: Expression, events: Expression, recordings: Sequence[Recording]) -> Series:
    """Both together, step by step, for every car.

    Raises:
        ValueError: recordings of different teams or steps.
    """
    first = recordings[0]
    rows: list[FloatArray] = []
    match, step, goals = [], [], []
    names: list[str] = []
    for number, recording in enumerate(recordings, 1):
        if recording.tick_skip != first.tick_skip or not np.array_equal(recording.orange, first.orange):
            raise ValueError("recordings of different teams or tick_skip cannot be drawn together: give them apart")
        states = recording.play()
        view = View(states[0])
        for index, now in enumerate(states[1:], 1):
            view = View(now, view, view.memory)
            total = reward(view) + events(view)
            names = ["reward", *view.seen]
            rows.append(np.stack([total[0], *(values[0] for values in view.seen.values())], axis=-1))
            match.append(number)
            step.append(index)
            scored = np.where(first.orange, -1.0, 1.0) * now.events["team_goal"][0]
            goals.append(np.sign(scored.sum()))
            view.before.forget_before()
    return Series(
        names, np.stack(rows), np.array(match), np.array(step), first.tick_skip / TICKS_PER_SECOND, np.array(goals),
        first.orange,
    )  # fmt: skip


def car_names(orange: BoolArray) -> list[str]:
    """blue-0, ..., orange-0, ..."""
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
    """The reward of every car, then the liveliest components, one below the other; goals are lines."""
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
    """How often which value, of each team: a box for the middle half, whiskers for 5 to 95 %; without constants."""
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


def main(arguments: Sequence[str]) -> None:
    """The command line."""
    words, options = parse(arguments, Options, __doc__)
    reward, events = expression(options.reward, REWARDS, "reward"), expression(options.events, EVENTS, "events")
    out = Path(options.out)
    if not words:
        draw_field(out / "field.png", options)
        print(f"{out / 'field.png'}\n{out / 'field.npz'}")
        return
    if not all(word.endswith(".npz") for word in words):
        raise ValueError(
            f"expected recordings (.npz), got {' '.join(words)}; make some with: python -m scripts.match kickoff "
            "chase_ball video=none"
        )
    series = over_recordings(reward, events, [Recording.load(Path(word)) for word in words])
    replace_text(out / "series.csv", as_csv(series))
    draw_series(out / "series.png", series, f"reward: {options.reward}, events: {options.events}")
    draw_distributions(out / "distributions.png", series)
    draw_correlations(out / "correlations.png", series)
    for name in ("series.csv", "series.png", "distributions.png", "correlations.png"):
        print(out / name)


if __name__ == "__main__":
    run_command(main)
