"""Recorded matches: where they began and what everybody did, which RocketSim plays again bit for bit."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from envs.rocket.matches import Matches
from envs.rocket.starts import Start
from envs.rocket.states import MatchStates
from envs.typing import BoolArray

ARENAS = 64
"""Arenas in which a replay is tried."""


@dataclass(frozen=True)
class Recording:
    """One episode of one arena.

    Attributes:
        start: where it began.
        orange: (N,) which cars are orange; blue ones first.
        tick_skip: physics ticks in a step.
        controls: (T, N, 8) float32, of every step.
        balls: (T, 3) float32, where the ball was after every step: what a replay is checked against.
    """

    start: Start
    orange: BoolArray
    tick_skip: int
    controls: npt.NDArray[np.float32]
    balls: npt.NDArray[np.float32]

    def play(self, mesh_dir: str | Path | None = None) -> list[MatchStates]:
        """The T + 1 states, of one arena (K = 1), the start first.

        RocketSim goes through an arena's cars in an order that hangs on their memory addresses, which now and then
        matters where several cars meet. So what comes out is compared with what was recorded, and played in another
        arena, at other addresses, where it differs.

        Raises:
            ValueError: it always differs: on other meshes, or with another RocketSim.
        """
        blue = int((~self.orange).sum())
        tried: list[Matches] = []  # kept, so that the next one lies elsewhere
        furthest = 0
        for _ in range(ARENAS):
            matches = Matches(1, blue, len(self.orange) - blue, tick_skip=self.tick_skip, mesh_dir=mesh_dir)
            tried.append(matches)
            states = list(self._played(matches))
            if len(states) == len(self.controls) + 1:
                return states
            furthest = max(furthest, len(states) - 1)
        raise ValueError(
            f"the recording plays differently here from step {furthest} of {len(self.controls)} on: it was made on "
            "other meshes, or with another version of RocketSim"
        )

    def _played(self, matches: Matches) -> Iterator[MatchStates]:
        """As long as the ball goes where it went."""
        matches.reset(0, self.start)
        yield matches.states()
        for controls, ball in zip(self.controls, self.balls, strict=True):
            states = matches.step(controls[None])
            if not np.array_equal(states.ball_position[0], ball):
                return
            yield states

    def save(self, path: Path) -> None:
        """Write an .npz, whole or not at all."""
        start = {
            f"start_{field.name}": value
            for field in fields(Start)
            if (value := getattr(self.start, field.name)) is not None
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f".{path.stem}.{os.getpid()}.npz")
        try:
            np.savez_compressed(
                part, orange=self.orange, tick_skip=self.tick_skip, controls=self.controls, balls=self.balls,
                **start,
            )  # fmt: skip
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)

    @classmethod
    def load(cls, path: Path) -> Recording:
        """Read what `save` wrote.

        Raises:
            ValueError: it is something else.
            FileNotFoundError: there is nothing.
        """
        try:
            with np.load(path) as file:
                known = {field.name for field in fields(Start)}
                start: dict[str, Any] = {
                    name.removeprefix("start_"): file[name] for name in file.files if name.startswith("start_")
                }
                if unknown := sorted(set(start) - known):
                    raise ValueError(f"its start has {', '.join(unknown)}")
                recording = cls(Start(**start), file["orange"], int(file["tick_skip"]), file["controls"], file["balls"])
        except FileNotFoundError:
            raise
        except Exception as error:
            raise ValueError(f"{path}: it is no recording of a match ({error})") from error
        steps, cars = len(recording.controls), len(recording.orange)
        if recording.controls.shape != (steps, cars, 8) or recording.balls.shape != (steps, 3):
            raise ValueError(
                f"{path}: controls are {recording.controls.shape} and balls {recording.balls.shape} for {cars} cars"
            )
        return recording
