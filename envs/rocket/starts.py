"""Where matches begin: kickoffs, random situations, shots, saves."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from envs.rocket.meshes import Field
from envs.rocket.simulator import GOAL_LINE

Vector = npt.NDArray[np.float64]
BALL_REST, CAR_REST = 93.15, 17.01  # heights on the floor
KICKOFF_BOOST = 1 / 3
MARGIN = 150.0  # from walls
TINY = 1e-3  # uu/s: a ball with no velocity at all hangs in the air until it is touched

Random = np.random.Generator


@dataclass(frozen=True)
class Start:
    """A situation of one arena: ball (3,) and cars (N, 3), in uu and uu/s.

    yaw is (N,) in radians, boost (N,) in 0..1.

    What is not given is 0.
    """

    ball_position: Vector
    car_position: Vector
    ball_velocity: Vector | None = None
    ball_angular_velocity: Vector | None = None
    car_velocity: Vector | None = None
    car_angular_velocity: Vector | None = None
    yaw: Vector | None = None
    pitch: Vector | None = None
    roll: Vector | None = None
    boost: Vector | None = None


def inside(x: float, y: float, margin: float = MARGIN, field: Field | None = None) -> bool:
    """Is the place on the field, so far from every wall? Goals are not on it."""
    field = field or Field()
    corner = abs(x) + abs(y) <= field.corner - margin * math.sqrt(2)
    return abs(x) <= field.side - margin and abs(y) <= field.back - margin and corner


def place(random: Random, margin: float = MARGIN) -> tuple[float, float]:
    """A place anywhere on the field."""
    field = Field()
    while True:
        x, y = random.uniform(-field.side, field.side), random.uniform(-field.back, field.back)
        if inside(x, y, margin):
            return float(x), float(y)


KICKOFF_PLACES = np.array([[-2048, -2560], [2048, -2560], [-256, -3840], [256, -3840], [0, -4608]], np.float64)
KICKOFF_YAWS = np.array([0.25, 0.75, 0.5, 0.5, 0.5]) * math.pi


def kickoff(random: Random, orange: npt.NDArray[np.bool_]) -> Start:
    """The ball in the centre, cars at some of the game's five places, the teams facing each other.

    RocketSim's own kickoff gives out places in the order of the cars' memory addresses: with two
    cars in a team, the same seed is not the same kickoff.
    """
    chosen = random.permutation(len(KICKOFF_PLACES))
    which = np.concatenate([chosen[: int((~orange).sum())], chosen[: int(orange.sum())]])
    cars = np.concatenate([KICKOFF_PLACES[which], np.full((len(which), 1), CAR_REST)], axis=1)
    cars[orange, :2] *= -1.0
    return Start(
        ball_position=np.array([0.0, 0.0, BALL_REST]),
        car_position=cars,
        yaw=KICKOFF_YAWS[which] + np.where(orange, math.pi, 0.0),
        boost=np.full(len(which), KICKOFF_BOOST),
    )


def random_start(random: Random, orange: npt.NDArray[np.bool_]) -> Start:
    """Ball and cars anywhere, the ball also in the air, everything moving."""
    n = len(orange)
    direction = random.normal(size=3)
    speed = random.uniform(0, 3000) * direction / np.linalg.norm(direction)
    cars = np.array([[*place(random), CAR_REST] for _ in range(n)])
    yaw = random.uniform(-math.pi, math.pi, n)
    forward = np.stack([np.cos(yaw), np.sin(yaw), np.zeros(n)], axis=1)
    return Start(
        ball_position=np.array([*place(random, 300.0), random.uniform(BALL_REST, 1700.0)]),
        ball_velocity=speed,
        car_position=cars,
        car_velocity=forward * random.uniform(0, 1800, (n, 1)),
        yaw=yaw,
        boost=random.uniform(0, 1, n),
    )


def kickoff_like(random: Random, orange: npt.NDArray[np.bool_]) -> Start:
    """The ball in the middle; cars somewhere in their own half, looking at it."""
    n = len(orange)
    cars = np.zeros((n, 3))
    for row in range(n):
        while True:
            x, y = place(random, 300.0)
            if y < -1000.0:
                break
        cars[row] = (x, y, CAR_REST)
    cars[orange, :2] *= -1
    return Start(
        ball_position=np.array([0.0, 0.0, BALL_REST]),
        ball_velocity=np.zeros(3),
        car_position=cars,
        yaw=np.arctan2(-cars[:, 1], -cars[:, 0]),
        boost=np.full(n, KICKOFF_BOOST),
    )


def goalie(random: Random, orange: npt.NDArray[np.bool_]) -> Start:
    """A shot at the blue goal; the first blue car stands in it, every other car somewhere."""
    field = Field()
    elsewhere = random_start(random, orange)
    ball = np.array([random.uniform(-2500, 2500), random.uniform(-1500, 1500), random.uniform(BALL_REST, 600)])
    target = np.array([random.uniform(-700, 700), -field.back - 200, random.uniform(100, 550)])
    seconds = random.uniform(1.2, 2.5)
    velocity = (target - ball) / seconds
    velocity[2] += 0.5 * 650.0 * seconds  # gravity
    keeper = (random.uniform(-500, 500), -field.back + 100, CAR_REST)
    return Start(
        ball_position=ball,
        ball_velocity=velocity,
        car_position=_with_first(elsewhere.car_position, keeper),
        car_velocity=_with_first(elsewhere.car_velocity, 0.0),
        yaw=_with_first(elsewhere.yaw, math.pi / 2),
        boost=_with_first(elsewhere.boost, 1.0),
    )


def _with_first(values: Vector | None, first: float | tuple[float, ...]) -> Vector:
    changed = np.array(values)
    changed[0] = first
    return changed


def shoot(random: Random, orange: npt.NDArray[np.bool_]) -> Start:
    """The ball slow on the floor; cars 900 to 1,800 uu from it, at rest, with full boost."""
    n = len(orange)
    ball = np.array([random.uniform(-2000, 2000), random.uniform(-2500, 2500), BALL_REST])
    cars = np.zeros((n, 3))
    for row in range(n):
        while True:
            distance, direction = random.uniform(900, 1800), random.uniform(-math.pi, math.pi)
            x, y = ball[0] + distance * math.cos(direction), ball[1] + distance * math.sin(direction)
            if inside(x, y, 300.0):
                break
        cars[row] = (x, y, CAR_REST)
    return Start(
        ball_position=ball,
        ball_velocity=np.array([*random.normal(0, 100, 2), 0.0]),
        car_position=cars,
        yaw=random.uniform(-math.pi, math.pi, n),
        boost=np.ones(n),
    )


def penalty(random: Random, orange: npt.NDArray[np.bool_]) -> Start:
    """The ball rests before the orange goal, the first blue car 500 to 1,000 uu behind it.

    Every other car is somewhere.

    The car stands up to 15° off the line from the goal through the ball and looks up to 30° past
    the ball.
    """
    elsewhere = random_start(random, orange)
    ball = np.array([random.uniform(-800, 800), random.uniform(2500, 4000), BALL_REST])
    line = math.atan2(ball[1] - Field().goal_back, ball[0]) + math.radians(random.uniform(-15, 15))
    distance = random.uniform(500, 1000)
    car = (ball[0] + distance * math.cos(line), ball[1] + distance * math.sin(line), CAR_REST)
    return Start(
        ball_position=ball,
        car_position=_with_first(elsewhere.car_position, car),
        car_velocity=_with_first(elsewhere.car_velocity, 0.0),
        yaw=_with_first(elsewhere.yaw, line + math.pi + math.radians(random.uniform(-30, 30))),
        boost=_with_first(elsewhere.boost, 1.0),
    )


STARTS: Mapping[str, Callable[[Random, npt.NDArray[np.bool_]], Start]] = {
    "kickoff": kickoff,
    "random": random_start,
    "kickoff_like": kickoff_like,
    "goalie": goalie,
    "shoot": shoot,
    "penalty": penalty,
}


def check(start: Start, n_cars: int) -> None:
    """Refuse situations that cannot be: numbers that are none, places outside field and goals.

    Nor may the ball be behind a goal line.

    Raises:
        ValueError: with what is wrong.
    """
    shapes: Sequence[tuple[str, Vector | None, tuple[int, ...]]] = (
        ("ball_position", start.ball_position, (3,)), ("ball_velocity", start.ball_velocity, (3,)),
        ("ball_angular_velocity", start.ball_angular_velocity, (3,)), ("car_position", start.car_position, (n_cars, 3)),
        ("car_velocity", start.car_velocity, (n_cars, 3)), ("yaw", start.yaw, (n_cars,)),
        ("car_angular_velocity", start.car_angular_velocity, (n_cars, 3)), ("pitch", start.pitch, (n_cars,)),
        ("roll", start.roll, (n_cars,)), ("boost", start.boost, (n_cars,)),
    )  # fmt: skip
    for name, value, shape in shapes:
        if value is not None and (np.shape(value) != shape or not np.isfinite(value).all()):
            raise ValueError(
                f"{name} of a start has shape {np.shape(value)} or is not finite; expected {shape} numbers"
            )
    if start.boost is not None and ((start.boost < 0) | (start.boost > 1)).any():
        raise ValueError(f"boost of a start is {start.boost}; expected 0 to 1")
    for what, places in (("the ball", start.ball_position[None]), ("a car", start.car_position)):
        for x, y, z in places.tolist():
            if not (_on_field(x, y, z) or _in_goal(x, y, z)):
                # RocketSim leaves what stands behind a back wall there, and counts a goal for it at
                # every tick
                raise ValueError(f"{what} of a start is at ({x:.0f}, {y:.0f}, {z:.0f}), which is outside the field")
    if abs(y := float(start.ball_position[1])) > GOAL_LINE:
        raise ValueError(f"the ball of a start is at y {y:.0f}, behind the goal line: the point is over")


def _on_field(x: float, y: float, z: float) -> bool:
    return inside(x, y, 0.0) and 0 <= z <= Field().ceiling


def _in_goal(x: float, y: float, z: float) -> bool:
    field = Field()
    return abs(x) <= field.goal_half_width and field.back <= abs(y) <= field.goal_back and 0 <= z <= field.goal_height
