"""AntMaze: MuJoCo's ant among walls, paid for where it is at the end.

Source: Paolo et al. 2021 (SERENE) and 2024 (STAX): start, walls, goals. The ant is gymnasium's; how
thick and high walls are, and what is seen, is our choice.
"""

from __future__ import annotations

import tempfile
from importlib.resources import files
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import gymnasium
import numpy as np

from foundation.checks import whole

BEHIND = "Ant-v5"
START = (-25.0, -25.0)
LOW, HIGH = -30.0, 40.0
GOALS = ((35.0, -25.0), (-25.0, 35.0))
RADIUS = 3.0
WALLS = (
    ((-15.0, 3.0), (-15.0, 37.0)),
    ((-16.0, -15.0), (10.0, -15.0)),
    ((10.0, -30.0), (10.0, 0.0)),
    ((LOW, LOW), (HIGH, LOW)),
    ((LOW, HIGH), (HIGH, HIGH)),
    ((LOW, LOW), (LOW, HIGH)),
    ((HIGH, LOW), (HIGH, HIGH)),
)
"""Their middle lines, those of the border last."""
_HALF_THICK, _HALF_HIGH = 0.5, 1.0


class AntMaze(gymnasium.Wrapper[Any, Any, Any, Any]):
    """An ant on 70 × 70 metres; the last step alone pays, (r − d)/r at a distance d < r of a goal.

    It sees its 15 positions and 14 velocities, its place among them, and is never over before.
    ``info["position"]`` is where its torso is, ``info["area"]`` the goal that has paid, else −1.

    Args:
        steps: of an episode: 3,000 in SERENE, 1,000 in STAX.
        render_mode: "rgb_array" or None.

    Raises:
        ValueError: steps below 1.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": 20}
    reports = ("position", "area")
    hidden = (10, 10, 10)
    """Layers of the papers' policies: 574 weights."""
    goals = ("east", "north")
    extent = ((LOW, HIGH), (LOW, HIGH))

    def __init__(self, steps: int = 1000, render_mode: str | None = None) -> None:
        self.steps = whole("steps", steps)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "ant_maze.xml"
            path.write_text(_world())
            ant = gymnasium.make(
                BEHIND,
                xml_file=str(path),
                render_mode=render_mode,
                max_episode_steps=-1,
                terminate_when_unhealthy=False,
                include_cfrc_ext_in_observation=False,
                exclude_current_positions_from_observation=False,
                camera_name="above",
            )
        super().__init__(ant)
        self._now = 0

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """The ant at the start, its joints a little out of place by the seed."""
        self._now = 0
        _, info = self.env.reset(seed=seed, options=options)
        ant: Any = self.unwrapped
        place = ant.data.qpos.copy()
        place[:2] = START
        ant.set_state(place, ant.data.qvel.copy())
        return self._seen(), {**info, **self._told(-1)}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Play one action; the last one ends the episode."""
        _, _, _, _, info = self.env.step(action)
        self._now += 1
        over = self._now >= self.steps
        pay, area = self._pay() if over else (0.0, -1)
        return self._seen(), pay, over, False, {**info, **self._told(area)}

    def _seen(self) -> Any:
        ant: Any = self.unwrapped
        return np.concatenate([ant.data.qpos, ant.data.qvel])

    def _told(self, area: int) -> dict[str, Any]:
        ant: Any = self.unwrapped
        return {"position": ant.data.qpos[:2].copy(), "area": area}

    def _pay(self) -> tuple[float, int]:
        ant: Any = self.unwrapped
        distances = [float(np.hypot(*(ant.data.qpos[:2] - goal))) for goal in GOALS]
        near = int(np.argmin(distances))
        return (1.0 - distances[near] / RADIUS, near) if distances[near] < RADIUS else (0.0, -1)


def _world() -> str:
    """Gymnasium's ant with walls and goals around it, as MuJoCo's XML."""
    tree = ElementTree.fromstring(files("gymnasium.envs.mujoco.assets").joinpath("ant.xml").read_text())
    world = tree.find("worldbody")
    assert world is not None
    floor = world.find("geom[@name='floor']")
    assert floor is not None
    middle = (LOW + HIGH) / 2
    floor.set("size", f"{HIGH - LOW} {HIGH - LOW} 40")
    ElementTree.SubElement(world, "camera", name="above", pos=f"{middle} {middle} 95", xyaxes="1 0 0 0 1 0")
    still = {"contype": "1", "conaffinity": "1"}
    for begin, end in WALLS:
        a, b = np.array(begin), np.array(end)
        x, y = (a + b) / 2
        width, depth = np.abs(b - a) / 2 + _HALF_THICK
        ElementTree.SubElement(
            world, "geom", still, type="box", pos=f"{x} {y} {_HALF_HIGH}", size=f"{width} {depth} {_HALF_HIGH}",
            rgba="0.35 0.38 0.45 1",
        )  # fmt: skip
    for x, y in GOALS:
        ElementTree.SubElement(world, "site", type="cylinder", pos=f"{x} {y} 0.01", size=f"{RADIUS} 0.01",
                               rgba="0.84 0.37 0 0.8")  # fmt: skip
    return ElementTree.tostring(tree, encoding="unicode")
