"""A kinesthetic reward over the field: what it says wherever the car or the ball is moved."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from envs.rocket.meshes import Field
from envs.rocket.states import BIG_PADS, PADS
from foundation.checks import number, one_of
from foundation.files import whole_file
from scripts.results.figures import figure, short_text
from shaping.kinesthetic import EVENTS, REWARDS, expression
from shaping.kinesthetic.composition import Expression
from shaping.kinesthetic.states import EVENTS as EVENT_NAMES
from shaping.kinesthetic.states import View
from shaping.kinesthetic.term import shares
from shaping.terms import FloatArray

LEVELS = 80
REFINEMENTS = 6  # of the octagon's triangles: 16,577 places
BLUE, ORANGE = "#4084ff", "#ff8e24"
_WORDS: Any = {
    "textcoords": "offset points",
    "fontsize": 9,
    "bbox": {"boxstyle": "round,pad=0.15", "facecolor": "white", "edgecolor": "none", "alpha": 0.75},
}


@dataclass(frozen=True)
class Arguments:
    """The command line's arguments."""

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
        one_of("move", self.move, ("car", "ball"))
        for name in ("ball", "ball_velocity", "car", "car_velocity", "opponent"):
            numbers = getattr(self, name)
            if (len(numbers) != 3 and not (name == "opponent" and not numbers)) or not np.isfinite(numbers).all():
                raise ValueError(f"{name}={','.join(map(str, numbers))}: expected three numbers, such as {name}=0,0,93")
        number("boost", self.boost, least=0, most=1)
        if not 0.0 <= self.height <= Field().ceiling:
            raise ValueError(f"height={self.height}: expected 0 to {Field().ceiling:.0f}, the ceiling")
        if self.team_spirit is not None:
            number("team_spirit", self.team_spirit, least=0, most=1)


def octagon() -> FloatArray:
    """(8, 2): the field's corners, counter-clockwise."""
    field = Field()
    cut, narrow = field.corner - field.side, field.corner - field.back
    quarter = np.array([[field.side, cut], [narrow, field.back]])
    half = np.concatenate([quarter, quarter[::-1] * [-1, 1]])
    return np.concatenate([half, -half])


def situation(arguments: Arguments, moved: FloatArray) -> Any:
    """One arena for every place (M, 2) to which the car or the ball is moved; see `MatchStates`."""
    m, velocity = len(moved), np.array(arguments.car_velocity)
    speed = float(np.linalg.norm(velocity))
    cars = [arguments.car, *([arguments.opponent] if arguments.opponent else [])]
    n = len(cars)
    forwards = [velocity / speed if speed > 0 else np.array([0.0, 1.0, 0.0]), np.array([0.0, -1.0, 0.0])][:n]
    ball, car = np.tile(arguments.ball, (m, 1)), np.tile(np.array(cars, np.float64), (m, 1, 1))
    places = np.column_stack([moved, np.full(m, arguments.height)])
    if arguments.move == "ball":
        ball = places
    else:
        car[:, 0] = places
    none = np.zeros((m, n))
    return SimpleNamespace(
        ball_position=ball,
        ball_velocity=np.tile(arguments.ball_velocity, (m, 1)),
        car_position=car,
        car_velocity=np.tile([velocity, np.zeros(3)][:n], (m, 1, 1)),
        car_forward=np.tile(forwards, (m, 1, 1)),
        boost=np.full((m, n), arguments.boost),
        on_ground=none == 0,
        demolished=none > 0,
        touched=none > 0,
        events=dict.fromkeys(EVENT_NAMES, none),
        orange=np.array([False, True][:n]),
        rows=np.array([True, True][:n]),
    )


def over_field(reward: Expression, arguments: Arguments, moved: FloatArray) -> FloatArray:
    """The blue car's reward (M,) for every place (M, 2)."""
    states = situation(arguments, moved)
    values = reward(View(states))
    if arguments.team_spirit is not None:
        values = values @ shares(states.orange, arguments.team_spirit)
    return np.asarray(values[:, 0])


def goal_values(events: Expression, arguments: Arguments) -> tuple[float, float]:
    """What a goal of the blue car pays it, and what one of the other team does."""
    paid = []
    for names in (("goal", "team_goal"), ("concede",)):
        states = situation(arguments, np.zeros((1, 2)))
        happened = np.zeros_like(states.boost)
        happened[0, 0] = 1.0
        states.events = {**states.events, **dict.fromkeys(names, happened)}
        paid.append(float(events(View(states))[0, 0]))
    return paid[0], paid[1]


def draw_field(path: Path, arguments: Arguments) -> None:
    """The filled contour with everything on the field; the numbers beside it as an .npz."""
    from matplotlib.patches import Polygon, Rectangle
    from matplotlib.ticker import MaxNLocator
    from matplotlib.tri import Triangulation, UniformTriRefiner

    reward, events = expression(arguments.reward, REWARDS, "reward"), expression(arguments.events, EVENTS, "events")
    ring, field = octagon(), Field()
    corners = np.concatenate([np.zeros((1, 2)), ring])
    fan = [[0, 1 + i, 1 + (i + 1) % len(ring)] for i in range(len(ring))]
    mesh = UniformTriRefiner(Triangulation(corners[:, 0], corners[:, 1], fan)).refine_triangulation(subdiv=REFINEMENTS)
    moved = np.column_stack([mesh.x, mesh.y])
    values = over_field(reward, arguments, moved)
    here = over_field(
        reward, arguments, np.array([(arguments.car if arguments.move == "car" else arguments.ball)[:2]])
    )[0]
    with whole_file(path.with_suffix(".npz")) as part:
        np.savez_compressed(part, x=mesh.x, y=mesh.y, values=values, triangles=mesh.triangles)

    with figure(path, 1, 1, 7.8, 8.6) as (drawing, (axes,)):
        top = float(np.abs(values).max()) or 1.0
        signed = values.min() < 0
        low, high = (-top, top) if signed else (float(values.min()), float(values.max()))
        levels = np.linspace(low, high if high > low else low + 1.0, LEVELS + 1)
        filled = axes.tricontourf(mesh, values, levels=levels, cmap="RdBu" if signed else "viridis")
        if signed and values.max() > 0:
            axes.tricontour(mesh, values, levels=[0.0], colors="#333840", linewidths=0.8)
        bar = drawing.colorbar(filled, ax=axes, shrink=0.8, ticks=MaxNLocator(9))
        bar.set_label(f"reward of the blue car, {arguments.move} moved at {arguments.height:.0f} uu")
        axes.add_patch(Polygon(ring, fill=False, edgecolor="#333840", linewidth=1.2))
        for side, colour, value in zip((1, -1), (ORANGE, BLUE), goal_values(events, arguments), strict=True):
            depth, width = field.goal_back - field.back, field.goal_half_width
            low_y = field.back if side > 0 else -field.goal_back
            axes.add_patch(Rectangle((-width, low_y), 2 * width, depth, facecolor=colour, edgecolor="#333840"))
            if value:
                axes.text(0, side * (field.back + depth / 2), f"{value:+g}", ha="center", va="center", weight="bold")
        for big, size in ((False, 8), (True, 42)):
            x, y = PADS[big == BIG_PADS, :2].T
            axes.scatter(x, y, s=size, c="#ffd646", edgecolors="#333840", linewidths=0.5, zorder=3)
        _things(axes, arguments)
        place = arguments.car if arguments.move == "car" else arguments.ball
        axes.annotate(f"{here:+.3f} here", (place[0], place[1]), (-14, -16), **_WORDS)
        axes.set_xlim(field.side + 250, -field.side - 250)  # the game's axes are left-handed: +x is left
        axes.set_ylim(-field.goal_back - 150, field.goal_back + 150)
        axes.set_aspect("equal")
        axes.grid(False)
        axes.set_xlabel("x and y in uu; blue attacks upwards")
        axes.set_title(short_text(f"{arguments.reward}: {values.min():+.2f} to {values.max():+.2f}", 70))


def _things(axes: Any, arguments: Arguments) -> None:
    """Ball, cars and their velocities."""
    axes.scatter(*arguments.ball[:2], s=70, c="white", edgecolors="#333840", linewidths=1.5, zorder=5)
    axes.annotate("ball", arguments.ball[:2], (7, 5), **_WORDS)
    cars = [("car", arguments.car, arguments.car_velocity, BLUE)]
    if arguments.opponent:
        cars.append(("opponent", arguments.opponent, (0.0, 0.0, 0.0), ORANGE))
    for name, place, velocity, colour in cars:
        speed = float(np.linalg.norm(velocity))
        ahead = velocity if speed > 0 else (0.0, 1.0 if name == "car" else -1.0, 0.0)
        angle = math.degrees(math.atan2(ahead[1], -ahead[0])) - 90.0  # x is drawn to the left
        axes.scatter(*place[:2], s=130, c=colour, edgecolors="#333840", marker=(3, 0, angle), zorder=5)
        axes.annotate(name, place[:2], (8, -4), **_WORDS)
    for place, velocity in ((arguments.car, arguments.car_velocity), (arguments.ball, arguments.ball_velocity)):
        if np.linalg.norm(velocity[:2]) > 0:
            axes.annotate(
                "",
                xy=(place[0] + velocity[0] / 2, place[1] + velocity[1] / 2),
                xytext=place[:2],
                arrowprops={"arrowstyle": "->", "linewidth": 1.6, "color": "#333840"},
                zorder=6,
            )
