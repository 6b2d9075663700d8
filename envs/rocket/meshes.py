"""The arena's collision meshes, made from numbers: walls, corners, ramps, fillets and goals.

RocketSim itself has the floor, the ceiling and the two side walls as planes. Everything else it
reads from meshes that are dumped from the game, which nobody may hand on. These follow the measured
dimensions of the standard field: a profile (ramp, wall, ceiling fillet) is swept inwards along the
field's outline.

Lengths are in uu, unreal units: a car is 118 long. x runs across the field, y from the blue goal
(-) to the orange (+).
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

Points = npt.NDArray[np.float64]
Triangles = npt.NDArray[np.int64]

FORMAT = 2  # of our meshes: change it with the code that makes them
UU_PER_UNIT = 50.0  # Bullet's unit


@dataclass(frozen=True)
class Field:
    """The dimensions of the field, in uu."""

    side: float = 4096.0  # x of the side walls
    back: float = 5120.0  # y of the back walls
    ceiling: float = 2048.0
    corner: float = 8064.0  # |x| + |y| of the corner planes
    plan_radius: float = 870.0  # of the fillets between corner and walls, seen from above
    ramp: float = 256.0  # radius of the ramps along side walls and corners
    back_ramp: float = 160.0  # along the back walls
    post_ramp: float = 96.0  # at the posts, where the ramp ends
    taper: float = 1300.0  # |x| where the back ramp begins to shrink
    fillet: float = 512.0  # radius under the ceiling
    goal_half_width: float = 892.755
    goal_height: float = 642.775
    goal_back: float = 6000.0
    chords: int = 8  # of a quarter circle


def mesh_folder(field: Field | None = None, cache: str | Path | None = None) -> Path:
    """The folder to give to RocketSim, made if need be: FOLDER/soccar/*.cmf, 16 files.

    Two processes that make it at once both end well: each makes its own and the first to be ready
    is kept.

    Args:
        field: dimensions; None for the standard field.
        cache: where; None for the user's cache folder.

    Raises:
        OSError: it cannot be written.
    """
    field = field or Field()
    key = hashlib.sha256(json.dumps([FORMAT, asdict(field)], sort_keys=True).encode()).hexdigest()[:16]
    home = os.environ.get("XDG_CACHE_HOME")
    root = Path(cache) if cache is not None else (Path(home) if home else Path.home() / ".cache") / "breadcrumb"
    folder = root / f"rocket-{key}"
    if (folder / "soccar").is_dir():
        return folder
    root.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(prefix=f".rocket-{key}-", dir=root))
    try:
        (part / "soccar").mkdir()
        for name, (vertices, triangles) in field_meshes(field):
            write_cmf(part / "soccar" / f"{name}.cmf", vertices, triangles)
        try:
            part.rename(folder)
        except OSError:
            if not (folder / "soccar").is_dir():  # nobody else was faster: it really failed
                raise
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return folder


def write_cmf(path: Path, vertices: Points, triangles: Triangles) -> None:
    """RocketSim's format: int32 counts, int32 (n, 3) triangles, float32 (m, 3) Bullet vertices."""
    with path.open("wb") as file:
        np.array([len(triangles), len(vertices)], np.int32).tofile(file)
        triangles.astype(np.int32).tofile(file)
        (vertices / UU_PER_UNIT).astype(np.float32).tofile(file)


def read_cmf(path: Path) -> tuple[Points, Triangles]:
    """Vertices (m, 3) in uu and triangles (n, 3) of a .cmf file.

    Raises:
        ValueError: it is none.
    """
    data = path.read_bytes()
    if len(data) < 8:
        raise ValueError(f"{path} is no collision mesh: it holds {len(data)} bytes")
    n, m = (int(count) for count in np.frombuffer(data, np.int32, 2))
    if n < 1 or m < 3 or len(data) != 8 + 12 * (n + m):
        raise ValueError(f"{path} is no collision mesh: {n} triangles and {m} vertices do not take {len(data)} bytes")
    triangles = np.frombuffer(data, np.int32, 3 * n, 8).reshape(n, 3).astype(np.int64)
    if triangles.min() < 0 or triangles.max() >= m:
        raise ValueError(f"{path} is no collision mesh: its triangles name vertices that it does not have")
    vertices = np.frombuffer(data, np.float32, 3 * m, 8 + 12 * n).reshape(m, 3).astype(np.float64)
    if not np.isfinite(vertices).all():
        raise ValueError(f"{path} is no collision mesh: a vertex is not finite")
    return vertices * UU_PER_UNIT, triangles


def field_meshes(field: Field) -> Iterator[tuple[str, tuple[Points, Triangles]]]:
    """Names and meshes of the sixteen pieces: side floor, side ceiling, corner, back with goal.

    Each is there in four quadrants.

    Several small meshes are much faster in RocketSim than one: it builds a grid of each at its
    first step.
    """
    for name, mesh in (
        ("side_floor", _side(field, floor=True)),
        ("side_ceiling", _side(field, floor=False)),
        ("corner", _corner(field)),
        ("back", _back(field)),
    ):
        for x, y in ((1, 1), (1, -1), (-1, 1), (-1, -1)):
            yield f"{name}_{'p' if x > 0 else 'n'}{'p' if y > 0 else 'n'}", _mirrored(mesh, x, y)


# One quadrant, x > 0 and y > 0 --------------------------------------------------------------------


def _quarter(radius: float, chords: int) -> Points:
    """A ramp from the floor to the wall: (inwards, up) from (radius, 0) to (0, radius)."""
    angles = np.linspace(0.0, math.pi / 2, chords + 1)
    return np.stack([radius - radius * np.sin(angles), radius - radius * np.cos(angles)], axis=1)


def _ramp(radius: float, field: Field) -> Points:
    """A ramp that begins a little below the floor, so that the plane and it leave no gap."""
    ramp = _quarter(radius, field.chords)
    return np.vstack([2 * ramp[0] - ramp[1], ramp])


def _fillet(field: Field) -> Points:
    """From the wall to the ceiling, and a little above it."""
    fillet = _quarter(field.fillet, field.chords)[::-1] * [1, -1] + [0, field.ceiling]
    return np.vstack([fillet, 2 * fillet[-1] - fillet[-2]])


def _arc(start: float, end: float, centre: Sequence[float], radius: float, chords: int) -> Points:
    angles = np.linspace(start, end, chords + 1)
    return np.stack([centre[0] + radius * np.cos(angles), centre[1] + radius * np.sin(angles)], axis=1)


def _tangents(field: Field) -> tuple[float, float, float]:
    """How far the plan's fillets reach from where planes meet; y, x where the corner is met."""
    return field.plan_radius * math.tan(math.pi / 8), field.corner - field.side, field.corner - field.back


def _sweep(outline: Points, inwards: Points, profiles: Sequence[Points]) -> tuple[Points, Triangles]:
    """The surface between profiles (k, 2: inwards, up) at the points of an outline (n, 2).

    Triangles face inwards for outlines that run against the clock.
    """
    k = len(profiles[0])
    vertices = np.concatenate(
        [
            np.column_stack([point + profile[:, :1] * normal, profile[:, 1]])
            for point, normal, profile in zip(outline, inwards, profiles, strict=True)
        ]
    )
    triangles = []
    for i in range(len(outline) - 1):
        for j in range(k - 1):
            a, b, c, d = i * k + j, (i + 1) * k + j, (i + 1) * k + j + 1, i * k + j + 1
            triangles += [(a, c, b), (a, d, c)]
    return vertices, np.array(triangles)


def _side(field: Field, floor: bool) -> tuple[Points, Triangles]:
    """Ramp or fillet along the side wall, whose flat part is RocketSim's plane."""
    reach, corner_y, _ = _tangents(field)
    y = np.linspace(0.0, corner_y - reach, 5)
    outline = np.column_stack([np.full(len(y), field.side), y])
    inwards = np.tile([-1.0, 0.0], (len(y), 1))
    profile = _ramp(field.ramp, field) if floor else _fillet(field)
    return _sweep(outline, inwards, [profile] * len(y))


def _corner(field: Field) -> tuple[Points, Triangles]:
    """From the side wall's end round the corner to the back wall's, floor to ceiling."""
    reach, corner_y, corner_x = _tangents(field)
    radius, turn = field.plan_radius, math.pi / 4
    side = _arc(0.0, turn, (field.side - radius, corner_y - reach), radius, field.chords)
    back = _arc(turn, 2 * turn, (corner_x - reach, field.back - radius), radius, field.chords)
    angles = np.concatenate([np.linspace(0.0, turn, field.chords + 1), np.linspace(turn, 2 * turn, field.chords + 1)])
    inwards = -np.column_stack([np.cos(angles), np.sin(angles)])
    share = np.clip((angles - turn) / turn, 0.0, 1.0)
    radii = field.ramp + share * (field.back_ramp - field.ramp)
    return _sweep(np.vstack([side, back]), inwards, [np.vstack([_ramp(r, field), _fillet(field)]) for r in radii])


def _back(field: Field) -> tuple[Points, Triangles]:
    """The back wall from the corner to the middle, and half of the goal."""
    reach, _, corner_x = _tangents(field)
    post, top = field.goal_half_width, field.goal_height
    x = np.array([corner_x - reach, 2000.0, field.taper, (field.taper + post) / 2, post])
    outward = np.clip((x - post) / (field.taper - post), 0.0, 1.0)
    radii = field.post_ramp + outward * (field.back_ramp - field.post_ramp)
    beside = _sweep(
        np.column_stack([x, np.full(len(x), field.back)]),
        np.tile([0.0, -1.0], (len(x), 1)),
        [np.vstack([_ramp(r, field), _fillet(field)]) for r in radii],
    )
    over = _sweep(
        np.array([[post, field.back], [0.0, field.back]]),
        np.tile([0.0, -1.0], (2, 1)),
        [np.vstack([[0.0, top], _fillet(field)])] * 2,
    )
    ramp = _ramp(field.post_ramp, field)  # its end stands open at the post
    edge = np.column_stack([np.full(len(ramp), post), field.back - ramp[:, 0], ramp[:, 1]])
    foot = np.array([[post, field.back, min(0.0, float(ramp[0, 1]))]])
    cap = _fan(foot, edge, inward=np.array([-1.0, 0.0, 0.0]))
    return _joined([beside, over, cap, *_goal(field)])


def _goal(field: Field) -> list[tuple[Points, Triangles]]:
    """Floor, back and roof of half the goal, swept along its section, and its side."""
    back, post = field.goal_back, field.goal_half_width
    centre, roof = (back - 240.0, 256.0), (back - 147.0, 477.0)  # (y, z); the arc runs on to the roof
    end = math.atan2(roof[1] - centre[1], roof[0] - centre[0])
    chords = math.ceil(field.chords * (end + math.pi / 2) / (math.pi / 2))
    arc = _arc(-math.pi / 2, end, centre, 240.0, chords)
    section = np.vstack(
        [[field.back - 1.0, -1.0], [5354.0, -1.0], arc, [5344.0, 640.0], [field.back, field.goal_height]]
    )
    k = len(section)
    shell = np.concatenate([np.column_stack([np.full(k, x), section]) for x in (post, 0.0)])
    triangles = []
    for j in range(k - 1):
        triangles += [(j, k + j, k + j + 1), (j, k + j + 1, j + 1)]
    middle = np.array([[post, 5500.0, 250.0]])
    ring = np.column_stack([np.full(k + 1, post), np.vstack([section, section[:1]])])
    return [(shell, np.array(triangles)), _fan(middle, ring, inward=np.array([-1.0, 0.0, 0.0]))]


def _fan(centre: Points, ring: Points, inward: Points) -> tuple[Points, Triangles]:
    """Triangles from a point to a line of points, facing `inward`."""
    vertices = np.vstack([centre, ring])
    triangles = np.array([(0, i, i + 1) for i in range(1, len(ring))])
    a, b, c = (vertices[triangles[:, column]] for column in range(3))
    away = np.cross(b - a, c - a) @ inward < 0
    triangles[away] = triangles[away][:, ::-1]
    return vertices, triangles


def _joined(meshes: Sequence[tuple[Points, Triangles]]) -> tuple[Points, Triangles]:
    vertices, triangles, count = [], [], 0
    for points, faces in meshes:
        vertices.append(points)
        triangles.append(faces + count)
        count += len(points)
    return np.concatenate(vertices), np.concatenate(triangles)


def _mirrored(mesh: tuple[Points, Triangles], x: int, y: int) -> tuple[Points, Triangles]:
    """The mesh in another quadrant, welded and without empty triangles."""
    vertices, triangles = mesh
    rounded, where = np.unique(np.round(vertices, 3), axis=0, return_inverse=True)
    triangles = where.reshape(-1)[triangles]
    a, b, c = (rounded[triangles[:, column]] for column in range(3))
    triangles = triangles[np.linalg.norm(np.cross(b - a, c - a), axis=1) > 1e-6]
    flipped = triangles[:, ::-1] if x * y < 0 else triangles
    return rounded * [x, y, 1], flipped
