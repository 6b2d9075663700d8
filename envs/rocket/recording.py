"""Recorded matches: every state of them, and what everybody did."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from envs.rocket.matches import Matches
from envs.rocket.starts import Start
from envs.rocket.states import BY_ARENA, EVENTS, MatchStates
from envs.typing import BoolArray
from foundation.files import whole_file

ARENAS = 64
"""Arenas in which a simulation is tried."""


@dataclass(frozen=True)
class Recording:
    """One episode of one arena.

    Attributes:
        start: where it began.
        orange: (N,) which cars are orange; blue ones first.
        tick_skip: physics ticks in a step.
        controls: (T, N, 8) float32, of every step.
        states: T + 1 of them in place of arenas (K = T + 1), the start first.
    """

    start: Start
    orange: BoolArray
    tick_skip: int
    controls: npt.NDArray[np.float32]
    states: MatchStates

    def play(self) -> list[MatchStates]:
        """The T + 1 states, of one arena (K = 1) each, bit for bit as they were."""
        return [self.states.arena(step) for step in range(len(self.controls) + 1)]

    def simulate(self, mesh_dir: str | Path | None = None) -> list[MatchStates]:
        """The same from the start and the controls alone, played again by RocketSim.

        RocketSim goes through an arena's cars in an order that hangs on their memory addresses,
        which matters where several cars meet. So what comes out, cars and ball, is compared with
        what was recorded, and played in another arena, at other addresses, where it differs. With
        two cars that finds the order; with six it may not.

        Raises:
            ValueError: it always differs: by that order, on other meshes, or with another
                RocketSim.
        """
        blue = int((~self.orange).sum())
        tried: list[Matches] = []  # kept, so that the next one lies elsewhere
        furthest = 0
        for _ in range(ARENAS):
            matches = Matches(1, blue, len(self.orange) - blue, tick_skip=self.tick_skip, mesh_dir=mesh_dir)
            tried.append(matches)
            states = list(self._simulated(matches))
            if len(states) == len(self.controls) + 1:
                return states
            furthest = max(furthest, len(states) - 1)
        raise ValueError(
            f"the recording plays differently here from step {furthest} of {len(self.controls)} on: RocketSim takes "
            "the cars in another order, or it was made on other meshes, or with another version of RocketSim"
        )

    def _simulated(self, matches: Matches) -> Iterator[MatchStates]:
        """As long as everything is as it was."""
        matches.reset(0, self.start)
        states = matches.states()
        for step, controls in enumerate(self.controls):
            if not self._was(step, states):
                return
            yield states
            states = matches.step(controls[None])
        if self._was(len(self.controls), states):
            yield states

    def _was(self, step: int, states: MatchStates) -> bool:
        recorded = self.states.arena(step)
        return all(np.array_equal(getattr(states, name), getattr(recorded, name)) for name in BY_ARENA)

    def save(self, path: Path) -> None:
        """Write an .npz, whole or not at all."""
        arrays: dict[str, Any] = {"orange": self.orange, "rows": self.states.rows, "tick_skip": self.tick_skip}
        arrays |= {f"start_{field.name}": getattr(self.start, field.name) for field in fields(Start)}
        arrays |= {f"states_{name}": getattr(self.states, name) for name in BY_ARENA}
        arrays |= {f"events_{name}": counts for name, counts in self.states.events.items()}
        given = {name: array for name, array in arrays.items() if array is not None}
        with whole_file(path) as part:
            np.savez_compressed(part, controls=self.controls, **given)

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
                states = MatchStates(
                    **{name: file[f"states_{name}"] for name in BY_ARENA},
                    events={name: file[f"events_{name}"] for name in EVENTS},
                    orange=file["orange"],
                    rows=file["rows"],
                )
                recording = cls(Start(**start), file["orange"], int(file["tick_skip"]), file["controls"], states)
        except FileNotFoundError:
            raise
        except Exception as error:
            raise ValueError(f"{path}: it is no recording of a match ({error})") from error
        steps, cars = len(recording.controls), len(recording.orange)
        if not steps:
            raise ValueError(f"{path}: the recording holds no step; record the match again")
        places = states.car_position.shape
        if recording.controls.shape != (steps, cars, 8) or places != (steps + 1, cars, 3):
            raise ValueError(
                f"{path}: controls are {recording.controls.shape} and cars' positions {places}, for {cars} cars"
            )
        return recording
