"""A reward table as a file that people read and edit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from foundation.checks import number, whole
from foundation.files import replace_text
from foundation.tabular_mdp import FloatArray, TabularMDP
from shaping.designed.abstraction import Bins
from shaping.designed.result import DesignResult

HEADER = """# A designed reward: what an action pays in a state, one number an action. States that are left out pay 0.
# `task` is what the task itself pays. Both may be edited.
"""
KEYS = ("states", "actions", "gamma", "bins", "design", "task", "rewards")


@dataclass(frozen=True)
class RewardTable:
    """R(s, a) with what it stands for.

    Attributes:
        rewards: (states, actions).
        task: R̄(s, a), (states, actions).
        gamma: the discount that it was designed for.
        bins: how continuous observations become states; None where they are numbers of states.
        design: how it was made, in plain words and numbers.
    """

    rewards: FloatArray
    task: FloatArray
    gamma: float
    bins: Bins | None = None
    design: Mapping[str, Any] = field(default_factory=dict)

    def write(self, path: Path) -> None:
        """Write it as YAML."""
        content = {
            "states": len(self.rewards),
            "actions": self.rewards.shape[1],
            "gamma": self.gamma,
            "bins": None if self.bins is None else {key: list(value) for key, value in asdict(self.bins).items()},
            "design": dict(self.design),
            "task": _rows(self.task),
            "rewards": _rows(self.rewards),
        }
        replace_text(path, HEADER + yaml.safe_dump(content, sort_keys=False, default_flow_style=None, width=110))


def designed_table(mdp: TabularMDP, result: DesignResult, bins: Bins | None = None) -> RewardTable:
    """The table of a design for a process."""
    told = {
        "method": result.method,
        "objective": float(result.objective),
        "informativeness": float(result.informativeness),
        "invariance": str(result.invariance),
        "changed": list(result.invariance.changed),
        "states": [int(state) for state in result.states],
        **{name: list(value) if isinstance(value, tuple) else value for name, value in result.options.items()},
    }
    return RewardTable(result.rewards, mdp.rewards, mdp.gamma, bins, told)


def read_table(path: str | Path) -> RewardTable:
    """A file that `RewardTable.write` wrote, as it is now.

    Raises:
        ValueError: no such file, or one that is none of these; says what is wrong with it.
    """
    try:
        content = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise ValueError(
            f"file={path} cannot be read: {error.strerror}; make one with python -m scripts.design_reward out={path}"
        ) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is no designed reward: {error}") from error
    if not isinstance(content, dict) or set(KEYS) - set(content):
        missing = sorted(set(KEYS) - set(content)) if isinstance(content, dict) else list(KEYS)
        raise ValueError(
            f"{path} is no designed reward: it lacks {', '.join(missing)}; make one with python -m "
            "scripts.design_reward"
        )
    try:
        shape = (whole("states", content["states"]), whole("actions", content["actions"]))
        gamma = float(number("gamma", content["gamma"], least=0, most=1))
        bins = content["bins"]
        if bins is not None:
            bins = Bins(*(tuple(bins[key]) for key in ("low", "high", "counts")))
        rewards, task = (_array(name, content[name], shape) for name in ("rewards", "task"))
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path} is no designed reward: {error}") from error
    return RewardTable(rewards, task, gamma, bins, content["design"] or {})


def _rows(table: FloatArray) -> dict[int, list[float]]:
    return {int(state): table[state].tolist() for state in np.flatnonzero(table.any(axis=1))}


def _array(name: str, rows: Any, shape: tuple[int, int]) -> FloatArray:
    table = np.zeros(shape)
    for state, row in (rows or {}).items():
        if isinstance(state, bool) or not isinstance(state, int) or not 0 <= state < shape[0]:
            raise ValueError(f"{name} has a state {state!r}; states are 0 to {shape[0] - 1}")
        if not isinstance(row, list) or len(row) != shape[1]:
            raise ValueError(f"{name} of state {state} is {row!r}; expected {shape[1]} numbers")
        table[state] = [number(f"{name} of state {state}", entry) for entry in row]
    return table
