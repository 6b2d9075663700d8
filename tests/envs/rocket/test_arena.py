"""The arena: driving up the walls, no hole, the mesh cache, meshes that are none."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from envs.rocket.matches import GOAL_LINE, Matches
from envs.rocket.meshes import Field, field_meshes, mesh_folder, read_cmf
from envs.rocket.simulator import simulator
from envs.rocket.starts import CAR_REST, Start, inside
from tests.envs.rocket import reference_throws

REPOSITORY = Path(__file__).parents[3]
RADIUS = 91.25


def drive(x, y, yaw, seconds=2.5):
    """The greatest height of a car that boosts straight ahead."""
    matches = Matches(1, 1, 0, tick_skip=1, flips=False)
    matches.reset(
        0,
        Start(
            ball_position=np.array([0.0, 0.0, 93.0]),
            car_position=np.array([[x, y, CAR_REST]]),
            yaw=np.array([yaw]),
            boost=np.ones(1),
        ),
    )
    controls = np.array([[[1, 0, 0, 0, 0, 0, 1, 0]]], np.float32)
    return max(float(matches.step(controls).car_position[0, 0, 2]) for _ in range(round(120 * seconds)))


@pytest.mark.parametrize(
    ("x", "y", "yaw", "least"),
    [
        (4096 - 1600, 0, 0.0, 1900),  # measured on the game's own meshes: 2014
        (4096 - 1600, -800, math.pi / 6, 1300),
        (4032 - 1131, 4032 - 1131, math.pi / 4, 1500),
        (2000, 5120 - 1600, math.pi / 2, 1400),
    ],
)
def test_a_boosting_car_drives_from_the_floor_up_the_wall(x, y, yaw, least):
    assert drive(x, y, yaw) > least


@pytest.mark.parametrize("x", [-600.0, 0.0, 450.0])
@pytest.mark.parametrize("speed", [1400.0, 1900.0])
def test_a_car_drives_through_the_goal_up_its_back_and_onto_its_roof(x, speed):
    """The back's arc runs on to the roof; where it ended in an edge, cars stopped at 290 uu/s."""
    matches = Matches(1, 1, 0, tick_skip=1, flips=False)
    matches.reset(
        0,
        Start(
            ball_position=np.array([3000.0, 0.0, 93.0]),
            car_position=np.array([[x, 4300.0, CAR_REST]]),
            car_velocity=np.array([[0.0, speed, 0.0]]),
            yaw=np.array([np.pi / 2]),
            boost=np.ones(1),
        ),
    )
    ahead = np.array([[[1, 0, 0, 0, 0, 0, 1, 0]]], np.float32)
    played = [matches.step(ahead) for _ in range(170)]
    speeds = [float(np.linalg.norm(states.car_velocity)) for states in played]
    y, z = np.array([states.car_position[0, 0, 1:] for states in played]).T
    assert y.max() > 5900
    assert z[y > 5700].max() > 430, "it is past where the arc once ended"
    assert min(speeds) > 1000
    assert min(np.subtract(speeds[4:], speeds[:-4])) > -700


def test_the_goals_section_has_no_edge_that_a_car_meets_head_on():
    _, (vertices, triangles) = next((name, mesh) for name, mesh in field_meshes(Field()) if name == "back_pp")
    a, b, c = (vertices[triangles[:, column]] for column in range(3))
    normals = np.cross(b - a, c - a)
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    centres = (a + b + c) / 3
    inside = (centres[:, 1] > 5360) & (np.abs(normals[:, 0]) < 0.01)  # floor, arc and roof, not the side
    around = np.unwrap(np.arctan2(normals[inside][:, 2], normals[inside][:, 1]))
    order = np.argsort(np.arctan2(centres[inside][:, 2] - 250, centres[inside][:, 1] - 5500))
    turns = np.degrees(np.abs(np.diff(np.unwrap(around[order]))))
    assert turns.max() < 15, turns
    assert len(turns) > 20


def test_thousands_of_throws_leave_the_field_through_the_goal_mouth_alone():
    field, rng, arenas = Field(), np.random.default_rng(0), 20
    matches = Matches(arenas, 1, 0, tick_skip=2, flips=False)
    nothing, goals, throws = np.zeros((arenas, 1, 8), np.float32), 0, 0
    for _ in range(110):
        for arena in range(arenas):
            while True:
                x, y = rng.uniform(-3900, 3900), rng.uniform(-5000, 5000)
                if inside(x, y, 120.0):
                    break
            direction = rng.normal(size=3)
            matches.reset(
                arena,
                Start(
                    ball_position=np.array([x, y, rng.uniform(120, 1900)]),
                    ball_velocity=direction / np.linalg.norm(direction) * rng.uniform(500, 6000),
                    ball_angular_velocity=rng.uniform(-6, 6, 3),
                    car_position=np.array([[0.0, 0.0, CAR_REST]]),
                ),
            )
            throws += 1
        for _ in range(45):
            x, y, z = np.abs(matches.step(nothing).ball_position).T
            in_mouth = (x < field.goal_half_width) & (z < field.goal_height)
            assert (x < field.side - 50).all()
            assert ((z > 40) & (z < field.ceiling - 40)).all()
            assert ((y < field.back - 40) | in_mouth).all(), "the ball is in the back wall"
            assert ((x + y < field.corner - 60) | (y > field.back - 100)).all(), "the ball is in a corner"
            goals += int((y > GOAL_LINE).sum() > 0)
    assert throws == 2200
    assert goals > 5


def test_free_balls_go_where_they_go_on_the_games_own_meshes():
    theirs = np.array([[p or [np.nan] * 3 for p in row] for row in json.loads(reference_throws.FILE.read_text())])
    ours = reference_throws.throws()
    np.testing.assert_array_equal(np.isnan(ours[..., 0]), np.isnan(theirs[..., 0]), "the same throws are goals")
    near = np.linalg.norm(ours - theirs, axis=-1) < 50.0
    playing = ~np.isnan(theirs[..., 0])
    shares = [float(near[playing[:, i], i].mean()) for i in range(len(reference_throws.SECONDS))]
    assert shares[0] > 0.95, shares  # measured 0.98, 0.94, 0.85 after 1, 2, 5 seconds
    assert shares[1] > 0.9, shares
    assert shares[2] > 0.78, shares


def test_triangles_face_the_field():
    for name, (vertices, triangles) in field_meshes(Field()):
        a, b, c = (vertices[triangles[:, column]] for column in range(3))
        centres = (a + b + c) / 3
        of_field = np.abs(centres[:, 1]) < 5119
        inwards = (np.cross(b - a, c - a) * ([0, 0, 1000] - centres)).sum(axis=1) > 0
        assert inwards[of_field & ~(np.abs(np.abs(centres[:, 0]) - 892.755) < 1)].all(), name


def test_a_ball_at_rest_falls_and_lies():
    matches = Matches(1, 1, 0)
    matches.reset(0, Start(ball_position=np.array([500.0, 0, 600.0]), car_position=np.array([[-500.0, 0, CAR_REST]])))
    nothing = np.zeros((1, 1, 8), np.float32)
    heights = [float(matches.step(nothing).ball_position[0, 2]) for _ in range(90)]
    assert heights[-1] == pytest.approx(93.0, abs=2.0)
    assert heights[5] < 590


def test_two_processes_that_make_the_meshes_at_once_both_end_well(tmp_path):
    code = "import sys; from envs.rocket.meshes import mesh_folder; print(mesh_folder(cache=sys.argv[1]))"
    processes = [
        subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], cwd=REPOSITORY, stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    folders = {process.communicate(timeout=60)[0].strip() for process in processes}
    assert [process.returncode for process in processes] == [0, 0, 0]
    assert len(folders) == 1
    assert len(list(Path(folders.pop()).glob("soccar/*.cmf"))) == 16
    assert len(list(tmp_path.iterdir())) == 1, "what lost the race was left behind"


def test_other_dimensions_are_other_meshes(tmp_path):
    standard, other = mesh_folder(cache=tmp_path), mesh_folder(Field(ramp=200.0), cache=tmp_path)
    assert standard != other
    assert standard == mesh_folder(cache=tmp_path)
    vertices, triangles = read_cmf(standard / "soccar" / "corner_pp.cmf")
    assert triangles.max() < len(vertices)


def test_folders_without_meshes_broken_meshes_and_a_second_folder_are_refused(tmp_path):
    simulator()
    with pytest.raises(ValueError, match="another process"):
        simulator(tmp_path)
    broken = {"short": b"\1\0", "counts": np.array([5, 5], np.int32).tobytes() + b"\0" * 40}
    for name, data in broken.items():
        (tmp_path / f"{name}.cmf").write_bytes(data)
        with pytest.raises(ValueError, match="no collision mesh"):
            read_cmf(tmp_path / f"{name}.cmf")
    code = (
        "import sys; from envs.rocket.simulator import simulator\n"
        "try: simulator(sys.argv[1])\nexcept ValueError as error: print(error)"
    )
    for words in ("no collision meshes", "no collision mesh"):
        done = subprocess.run(
            [sys.executable, "-c", code, str(tmp_path)], cwd=REPOSITORY, capture_output=True, text=True, timeout=60
        )
        assert words in done.stdout
        (tmp_path / "soccar").mkdir(exist_ok=True)
        (tmp_path / "soccar" / "broken.cmf").write_bytes(broken["counts"])
