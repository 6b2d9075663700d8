"""A plane to search: behaviour is where a genome's first genes lead, and two small areas pay."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from agents.quality_diversity.evaluations import Evaluations
from agents.quality_diversity.evolver import Evolver
from foundation.plain_state import read_state, write_state

AREAS = np.array([[0.6, 0.5], [-0.5, -0.6]])
RADIUS = 0.15
SIZE = 8


def place(genomes: np.ndarray) -> np.ndarray:
    """Small genomes stay in the middle: (n, 2) in the square of ±1."""
    halves = genomes.reshape(len(genomes), 2, -1)
    return np.tanh(halves.sum(axis=2) / 8)


def play(
    genomes: np.ndarray, failing: Callable[[np.ndarray], Any] | None = None, radius: float = RADIUS
) -> Evaluations:
    """An episode each: (r − d)/r near an area's centre; whoever is `failing` answers NaN."""
    points = place(genomes)
    distances = np.linalg.norm(points[:, None] - AREAS[None], axis=2)
    rewards = np.maximum(0.0, 1 - distances / radius)
    areas = np.where(rewards.max(axis=1) > 0, rewards.argmax(axis=1), -1)
    paid = rewards.max(axis=1)
    if failing is not None:
        paid = np.where(failing(genomes), np.nan, paid)
    nothing = np.zeros(len(genomes), bool)
    return Evaluations(paid, points, points, areas, np.ones(len(genomes), int), nothing)


def draw(genomes: np.ndarray, frames: int = 1, side: int = 32) -> np.ndarray:
    """A bright square on its way to where the genome leads, (n, frames, side, side, 3)."""
    views = np.zeros((len(genomes), frames, side, side, 3), np.uint8)
    grid = np.linspace(-1, 1, side)
    for frame in range(frames):
        points = place(genomes) * (frame + 1) / frames
        near_x = np.abs(grid[None] - points[:, :1]) < 0.2
        near_y = np.abs(grid[None] - points[:, 1:]) < 0.2
        views[:, frame] = (near_y[:, :, None] & near_x[:, None, :])[..., None] * 255
    return views


def play_and_draw(genomes: np.ndarray, frames: int = 1) -> Evaluations:
    """`play` with wider areas, its behaviour in images."""
    done = play(genomes, radius=0.4)
    columns = vars(done) | {"descriptors": np.full((len(genomes), 0), np.nan), "views": draw(genomes, frames)}
    return Evaluations(**columns)


def search(
    evolver: Evolver,
    most: int | Callable[[], int] = 10**9,
    player: Callable[..., Evaluations] = play,
    until: int = 10**9,
) -> list[np.ndarray]:
    """Spend the budget; everything that was asked."""
    asked = []
    while evolver.left and evolver.evaluated < until:
        genomes = evolver.ask(most() if callable(most) else most)
        evolver.tell(player(genomes))
        asked.append(genomes)
    return asked


def resumed(evolver: Evolver, make: Callable[[], Evolver], folder: Any) -> Evolver:
    """Another that goes on from the file of this one's state."""
    write_state(evolver.state_dict(), folder / "state.pt")
    other = make()
    other.load_state_dict(read_state(folder / "state.pt"))
    return other
