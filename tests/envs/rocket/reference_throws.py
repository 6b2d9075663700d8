"""Three hundred throws of a free ball, and where they went on the game's own collision meshes.

    python -m tests.envs.rocket.reference_throws MESH_DIR      # writes reference_throws.json anew

`reference_throws.json` holds where the balls were after 1, 2 and 5 seconds, in uu.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

from envs.rocket.matches import Matches
from envs.rocket.starts import Start, place

FILE = Path(__file__).with_name("reference_throws.json")
THROWS, SECONDS = 300, (1, 2, 5)


def throws(mesh_dir: str | None = None) -> np.ndarray:
    """Where the balls are (throws, len(SECONDS), 3); NaN once they were in a goal."""
    random = np.random.default_rng(0)
    matches = Matches(THROWS, 1, 0, tick_skip=8, mesh_dir=mesh_dir, flips=False)
    for arena in range(THROWS):
        x, y = place(random, 300.0)
        direction = random.normal(size=3)
        start = Start(
            ball_position=np.array([x, y, random.uniform(120.0, 1500.0)]),
            ball_velocity=direction / np.linalg.norm(direction) * random.uniform(500.0, 3500.0),
            ball_angular_velocity=random.uniform(-3.0, 3.0, size=3),
            car_position=np.array([[np.copysign(3900.0, -x), np.copysign(3700.0, -y), 17.0]]),  # far away, in a corner
        )
        matches.reset(arena, start)
    nothing, places = np.zeros((THROWS, 1, 8), np.float32), []
    scored = np.zeros(THROWS, bool)
    touched = np.zeros(THROWS, bool)
    for step in range(1, 15 * max(SECONDS) + 1):
        states = matches.step(nothing)
        scored |= np.abs(states.ball_position[:, 1]) > 5215.5
        touched |= states.touched.any(axis=1)
        if step % 15 == 0 and step // 15 in SECONDS:
            places.append(np.where((scored | touched)[:, None], np.nan, states.ball_position))
    return np.stack(places, axis=1)


if __name__ == "__main__":
    rows = np.round(throws(sys.argv[1]), 1).tolist()
    FILE.write_text(json.dumps([[None if np.isnan(p[0]) else p for p in row] for row in rows]) + "\n")
