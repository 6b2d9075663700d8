"""Lucy-SKG's shape functions: what a situation is worth to each car, (K, N) numbers of about -1 to 1.

Source: Moschopoulos, Kyriakidis, Lazaridis and Vlahavas 2023, *Lucy-SKG*, arXiv 2305.15801, and the released code.
With p, v the car's position and velocity, b, w the ball's, G and O the points behind the opponents' and the own goal.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping

import numpy as np

from shaping.kinesthetic.states import View
from shaping.terms import FloatArray

GOAL = np.array([0.0, 6000.0, 321.3875])
OWN_GOAL = np.array([0.0, -6000.0, 321.3875])
BALL_RADIUS = 92.75  # the paper's; RocketSim's ball has 91.25
GOAL_DISTANCE = 6000.0 - 5120.0 + BALL_RADIUS  # of the goal's back to a ball on the line
CAR_SPEED, BALL_SPEED = 2300.0, 6000.0
CEILING = 2044.0

Component = Callable[..., FloatArray]


def length(vectors: FloatArray) -> FloatArray:
    """(..., 3) -> (...)."""
    return np.asarray(np.linalg.norm(vectors, axis=-1))


def unit(vectors: FloatArray) -> FloatArray:
    """Directions; 0 for a vector without length."""
    norm = length(vectors)[..., None]
    return np.asarray(np.divide(vectors, norm, out=np.zeros_like(vectors), where=norm > 0))


def cosine(a: FloatArray, b: FloatArray) -> FloatArray:
    """Of the angle between vectors; 0 where one has no length."""
    return np.asarray((unit(a) * unit(b)).sum(-1))


def _positive(**numbers: float) -> None:
    for name, number in numbers.items():
        if not (math.isfinite(number) and number > 0):
            raise ValueError(f"{name}={number}: expected a number above 0")


def _near(distance: FloatArray, scale: float, dispersion: float, density: float) -> FloatArray:
    return np.asarray(np.exp(-0.5 * distance / (scale * dispersion)) ** (1.0 / density))


def player_to_ball_distance(view: View, dispersion: float = 1.0, density: float = 1.0) -> FloatArray:
    """exp(-½ (‖p-b‖ - R) / (2300 dispersion))^(1/density): 1 at the ball. Dispersion spreads it, density lifts it."""
    _positive(dispersion=dispersion, density=density)
    return _near(length(view.car - view.ball) - BALL_RADIUS, CAR_SPEED, dispersion, density)


def ball_to_goal_distance(
    view: View, dispersion: float = 1.0, density: float = 1.0, own_goal: bool = False
) -> FloatArray:
    """exp(-½ (‖b-G‖ - D) / (6000 dispersion))^(1/density): 1 on the goal line."""
    _positive(dispersion=dispersion, density=density)
    goal = OWN_GOAL if own_goal else GOAL
    return _near(length(view.ball - goal) - GOAL_DISTANCE, BALL_SPEED, dispersion, density)


def ball_to_goal_difference(
    view: View,
    offensive_dispersion: float = 0.5,
    defensive_dispersion: float = 0.5,
    offensive_density: float = 1.0,
    defensive_density: float = 1.0,
    offensive_weight: float = 1.0,
    defensive_weight: float = 1.0,
) -> FloatArray:
    """Nearness of the ball to the opponents' goal less its nearness to the own."""
    ahead = ball_to_goal_distance(view, offensive_dispersion, offensive_density)
    behind = ball_to_goal_distance(view, defensive_dispersion, defensive_density, own_goal=True)
    return offensive_weight * ahead - defensive_weight * behind


def signed_ball_to_goal_distance(view: View, dispersion: float = 1.0, density: float = 1.0) -> FloatArray:
    """s = 2 (exp(-½ (‖b-G‖ - D) / (4570 dispersion)) - ½), sign(s) |s|^(1/density): about 0 in midfield."""
    _positive(dispersion=dispersion, density=density)
    s = 2.0 * (_near(length(view.ball - GOAL) - GOAL_DISTANCE, 4570.0, dispersion, 1.0) - 0.5)
    return np.asarray(np.sign(s) * np.abs(s) ** (1.0 / density))


def ball_y(view: View, exponent: float = 1.0) -> FloatArray:
    """sign(u) |u|^exponent with u = b_y / (5120 + R)."""
    _positive(exponent=exponent)
    u = view.ball[..., 1] / (5120.0 + BALL_RADIUS)
    return np.asarray(np.sign(u) * np.abs(u) ** exponent)


def ball_to_goal_velocity(view: View) -> FloatArray:
    """The ball's speed towards the opponents' goal, over 6000."""
    return np.asarray((unit(GOAL - view.ball) * view.ball_velocity).sum(-1) / BALL_SPEED)


def player_to_ball_velocity(view: View) -> FloatArray:
    """The car's speed towards the ball, over 2300."""
    return np.asarray((unit(view.ball - view.car) * view.velocity).sum(-1) / CAR_SPEED)


def face_ball(view: View) -> FloatArray:
    """How much the car looks at the ball."""
    return np.asarray((unit(view.ball - view.car) * view.forward).sum(-1))


def align(view: View, defensive: float = 0.5, offensive: float = 0.5) -> FloatArray:
    """defensive cos(b-p, p-O) + offensive cos(b-p, G-p): 1 with the ball between the car and the opponents' goal."""
    to_ball = view.ball - view.car
    behind, ahead = cosine(to_ball, view.car - OWN_GOAL), cosine(to_ball, GOAL - view.car)
    return defensive * behind + offensive * ahead


def save_boost(view: View) -> FloatArray:
    """√boost."""
    return np.asarray(np.sqrt(np.clip(view.boost, 0.0, 1.0)))


def touch_aerial(view: View, weight: float = 1.0) -> FloatArray:
    """weight b_z / 2044 on a touch."""
    return np.where(view.states.touched, weight * view.ball[..., 2] / CEILING, 0.0)


def off_ground(view: View) -> FloatArray:
    """1 in the air, 0 on the ground."""
    return np.where(view.states.on_ground, 0.0, 1.0)


def _event(name: str) -> Component:
    def component(view: View) -> FloatArray:
        return np.asarray(view.states.events[name], np.float64)

    component.__doc__ = f"How often it happened in this step: {name}."
    return component


COMPONENTS: Mapping[str, Component] = {
    function.__name__: function
    for function in (
        player_to_ball_distance,
        ball_to_goal_distance,
        ball_to_goal_difference,
        signed_ball_to_goal_distance,
        ball_y,
        ball_to_goal_velocity,
        player_to_ball_velocity,
        face_ball,
        align,
        save_boost,
        touch_aerial,
        off_ground,
    )
} | {name: _event(name) for name in ("goal", "team_goal", "concede", "touch", "shot", "save", "demo", "demoed")}
"""Name in an expression -> function."""  # fmt: skip


def parameters(name: str) -> list[str]:
    """The parameters of a component."""
    return list(inspect.signature(COMPONENTS[name]).parameters)[1:]
