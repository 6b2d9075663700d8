"""Curling in Box2D: what `envs.classic.curling` is compared with, in speed and in physics.

Arm, ball and table are those of our own world; bounces, joints and the order of a step are Box2D's.
Needs the extra `box2d` (`make setup EXTRAS=box2d`).
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np

from envs.classic.curling import (
    BALL,
    BASE_X,
    BASE_Y,
    DAMPING,
    ELBOW,
    ELBOW_LIMIT,
    HALF,
    LINK,
    RADIUS,
    REACH,
    RESTITUTION,
    SHOULDER_LIMIT,
    SPEED,
    TICK,
)
from envs.typing import Array, FloatArray

DENSITY, TORQUE = 100.0, 1e6
"""Of the arm: so heavy and strong that a ball, of density 1, does not move it."""
ITERATIONS = 10


class Box2DCurling:
    """One table whose arm is turned by the motors of two joints.

    Raises:
        ImportError: Box2D is not installed.
    """

    def __init__(self) -> None:
        import Box2D

        self._world = Box2D.b2World(gravity=(0, 0))
        edges = self._world.CreateStaticBody()
        corners = [(-HALF, -HALF), (HALF, -HALF), (HALF, HALF), (-HALF, HALF), (-HALF, -HALF)]
        for first, last in pairwise(corners):
            edges.CreateEdgeFixture(vertices=[first, last], friction=0, categoryBits=1, maskBits=2)
        self.ball = self._world.CreateDynamicBody(position=BALL, linearDamping=DAMPING, bullet=True)
        self.ball.CreateCircleFixture(
            radius=RADIUS, density=1, friction=0, restitution=RESTITUTION, categoryBits=2, maskBits=1 | 4
        )
        first = self._link(BASE_X, BASE_Y, 1.0)
        second = self._link(BASE_X, BASE_Y + ELBOW, REACH)
        self._joints = [
            self._world.CreateRevoluteJoint(
                bodyA=before, bodyB=after, anchor=anchor, enableMotor=True, maxMotorTorque=TORQUE, motorSpeed=0,
                enableLimit=True, lowerAngle=-limit, upperAngle=limit,
            )
            for before, after, anchor, limit in (
                (edges, first, (BASE_X, BASE_Y), SHOULDER_LIMIT),
                (first, second, (BASE_X, BASE_Y + ELBOW), ELBOW_LIMIT),
            )
        ]  # fmt: skip

    def _link(self, x: float, y: float, length: float) -> Any:
        body = self._world.CreateDynamicBody(position=(x, y + length / 2))
        body.CreatePolygonFixture(box=(LINK, length / 2), density=DENSITY, friction=0, categoryBits=4, maskBits=2)
        return body

    def observe(self) -> FloatArray:
        """The ball's place, both angles, both speeds, (6,)."""
        joints = self._joints
        return np.array([*self.ball.position, *(j.angle for j in joints), *(j.speed for j in joints)])

    def step(self, action: Array) -> FloatArray:
        """Turn the joints for a sixtieth of a second. Returns the new observation."""
        for joint, speed in zip(self._joints, np.clip(action, -SPEED, SPEED), strict=True):
            joint.motorSpeed = float(speed)
        self._world.Step(TICK, ITERATIONS, ITERATIONS)
        self._world.ClearForces()
        return self.observe()
