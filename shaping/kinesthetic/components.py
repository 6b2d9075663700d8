"""Lucy-SKG's shape functions: what a situation is worth to each car, (K, N) numbers of about -1 to 1.

Source: Moschopoulos, Kyriakidis, Lazaridis and Vlahavas 2023, *Lucy-SKG*, arXiv 2305.15801, and the released code; what
comes from Necto (Arild and others, https://github.com/Rolv-Arild/Necto) says so. With p, v the car's position and
velocity, b, w the ball's, G and O the points behind the opponents' and the own goal.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping

import numpy as np

from foundation.checks import number
from shaping.kinesthetic.states import EVENTS, GOAL, TINY, TURN, View, along, dot, length
from shaping.transitions import BoolArray, FloatArray

OWN_GOAL = GOAL * TURN
BALL_RADIUS = 92.75  # the paper's; RocketSim's ball has 91.25
GOAL_DISTANCE = 6000.0 - 5120.0 + BALL_RADIUS  # of the goal's back to a ball on the line
CAR_SPEED, BALL_SPEED = 2300.0, 6000.0
CEILING = 2044.0
ZONE = 3680.0  # uu around a goal in which `pressure` is felt

Component = Callable[..., FloatArray]


def cosine(a: FloatArray, b: FloatArray, length_of_a: FloatArray) -> FloatArray:
    """Of the angle between vectors; 0 where one has no length."""
    return np.asarray(dot(a, b) / np.maximum(length_of_a * length(b), TINY))


def _positive(**numbers: float) -> None:
    for name, value in numbers.items():
        number(name, value, above=0)


def _near(distance: FloatArray, scale: float, dispersion: float, density: float) -> FloatArray:
    return np.asarray(np.exp(distance * (-0.5 / (scale * dispersion * density))))


def player_to_ball_distance(view: View, dispersion: float = 1.0, density: float = 1.0) -> FloatArray:
    """exp(-½ (‖p-b‖ - R) / (2300 dispersion))^(1/density): 1 at the ball. Dispersion spreads it, density lifts it."""
    _positive(dispersion=dispersion, density=density)
    return _near(view.ball_distance - BALL_RADIUS, CAR_SPEED, dispersion, density)


def ball_to_goal_distance(
    view: View, dispersion: float = 1.0, density: float = 1.0, own_goal: bool = False
) -> FloatArray:
    """exp(-½ (‖b-G‖ - D) / (6000 dispersion))^(1/density): 1 on the goal line."""
    _positive(dispersion=dispersion, density=density)
    distance = length(view.ball - OWN_GOAL) if own_goal else view.goal_distance
    return _near(distance - GOAL_DISTANCE, BALL_SPEED, dispersion, density)


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
    s = 2.0 * (_near(view.goal_distance - GOAL_DISTANCE, 4570.0, dispersion, 1.0) - 0.5)
    return np.asarray(np.sign(s) * np.abs(s) ** (1.0 / density))


def ball_y(view: View, exponent: float = 1.0) -> FloatArray:
    """sign(u) |u|^exponent with u = b_y / (5120 + R)."""
    _positive(exponent=exponent)
    u = view.ball[..., 1] / (5120.0 + BALL_RADIUS)
    return np.asarray(np.sign(u) * np.abs(u) ** exponent)


def ball_to_goal_velocity(view: View) -> FloatArray:
    """The ball's speed towards the opponents' goal, over 6000."""
    return view.approach / BALL_SPEED


def player_to_ball_velocity(view: View) -> FloatArray:
    """The car's speed towards the ball, over 2300."""
    return along(view.velocity, view.to_ball, view.ball_distance) / CAR_SPEED


def face_ball(view: View) -> FloatArray:
    """How much the car looks at the ball."""
    return along(view.forward, view.to_ball, view.ball_distance)


def align(view: View, defensive: float = 0.5, offensive: float = 0.5) -> FloatArray:
    """defensive cos(b-p, p-O) + offensive cos(b-p, G-p): 1 with the ball between the car and the opponents' goal."""
    behind = cosine(view.to_ball, view.car - OWN_GOAL, view.ball_distance)
    ahead = cosine(view.to_ball, GOAL - view.car, view.ball_distance)
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


def goal_nearness(view: View, scale: float = 2300.0, own_goal: bool = False) -> FloatArray:
    """exp(-‖b - g‖ / scale), g between the goal's line and its back. Source: Necto."""
    _positive(scale=scale)
    goal = OWN_GOAL if own_goal else GOAL
    return np.asarray(np.exp(-length(view.ball - goal * (1.0, 5560.0 / 6000.0, 1.0)) / scale))


def ball_nearness(view: View, scale: float = 1410.0) -> FloatArray:
    """exp(-‖b-p‖ / scale). Source: Necto."""
    _positive(scale=scale)
    return np.asarray(np.exp(-view.ball_distance / scale))


def touch_acceleration(view: View) -> FloatArray:
    """What the ball gained in speed towards the opponents' goal on a touch, over 2300."""
    return np.where(view.states.touched, (view.approach - view.before.approach) / CAR_SPEED, 0.0)


def touch_speed_change(view: View) -> FloatArray:
    """‖w - w before‖ / 2300 on a touch. Source: Necto."""
    return np.where(view.states.touched, length(view.ball_velocity - view.before.ball_velocity) / CAR_SPEED, 0.0)


def boost_gain(view: View) -> FloatArray:
    """What √boost rose by. Source: Necto."""
    return np.maximum(save_boost(view) - save_boost(view.before), 0.0)


def boost_loss(view: View) -> FloatArray:
    """What √boost fell by. Source: Necto."""
    return np.maximum(save_boost(view.before) - save_boost(view), 0.0)


def goal_speed(view: View) -> FloatArray:
    """On its own goal, the ball's speed over 6000, a step before. Source: Necto."""
    return np.asarray(view.states.events["goal"] * length(view.before.ball_velocity) / BALL_SPEED)


def concede_distance(view: View) -> FloatArray:
    """On a goal of the opponents, 1 - exp(-‖b-p‖ / 2300): more for those who were far away. Source: Necto."""
    return np.asarray(view.states.events["concede"] * (1.0 - np.exp(-view.ball_distance / CAR_SPEED)))


def pressure(view: View, offensive: float = 5.5, defensive: float = -4.5, counter: float = 1.75) -> FloatArray:
    """Pays for pressure P on a goal when it ends: Lucy-SKG's v4, which its authors dropped.

    While the ball is within 3680 uu of a goal, a step's pressure is ½ + ½ (share of the attackers who are - share of
    the defenders who are). P is its mean over the t steps so far, times (1 - min(t-1, 90)/90)^0.7. A goal there pays
    offensive P to the attackers and defensive (1 - P) to the defenders; a ball that leaves after 3 steps or more pays
    the defenders counter P.
    """
    orange = np.asarray(view.states.orange)
    own = orange[:, None] == orange[None]  # (viewer, car)
    paid = np.zeros(view.boost.shape)
    goals = {"attack": GOAL, "defence": OWN_GOAL}
    for side, goal in goals.items():
        turned = goal * np.where(orange[:, None], TURN, 1.0)  # (viewer, 3): the goal in the blue team's frame
        cars = (view.car * np.where(orange[:, None], TURN, 1.0))[:, None]
        near = length(cars - turned[:, None]) - GOAL_DISTANCE < ZONE  # (K, viewer, car)
        attackers, defenders = (own, ~own) if side == "attack" else (~own, own)
        now = 0.5 + 0.5 * (_share(near, attackers) - _share(near, defenders))
        inside = length(view.ball - goal) - GOAL_DISTANCE < ZONE
        steps = view.memory.setdefault(f"pressure/{side}/steps", np.zeros(view.boost.shape))
        total = view.memory.setdefault(f"pressure/{side}/total", np.zeros(view.boost.shape))
        left = (steps >= 3) & ~inside
        steps += inside
        total += np.where(inside, now, 0.0)
        fading = (1.0 - np.minimum(np.maximum(steps - 1, 0), 90) / 90) ** 0.7
        level = total / np.maximum(steps, 1) * fading
        if side == "attack":
            paid += offensive * level * view.states.events["team_goal"]
        else:
            paid += defensive * (1.0 - level) * view.states.events["concede"] + counter * level * left
        steps[~inside], total[~inside] = 0.0, 0.0
    return paid


def _share(near: BoolArray, cars: BoolArray) -> FloatArray:
    """(K, viewer): the share of these cars (viewer, car) that are near (K, viewer, car); 0 of none."""
    return np.asarray((near & cars).sum(-1) / np.maximum(cars.sum(-1), 1))


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
        goal_nearness,
        ball_nearness,
        touch_acceleration,
        touch_speed_change,
        boost_gain,
        boost_loss,
        goal_speed,
        concede_distance,
        pressure,
    )
} | {name: _event(name) for name in EVENTS}
"""Name in an expression -> function."""  # fmt: skip


def parameters(name: str) -> list[str]:
    """The parameters of a component."""
    return list(inspect.signature(COMPONENTS[name]).parameters)[1:]
