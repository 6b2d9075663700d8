"""What an algorithm's buffer takes, judged before it is filled.

SB3 allocates buffers that the system fills in page by page: one that does not fit is killed by the
kernel an hour into training, without a word.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
from gymnasium import spaces
from stable_baselines3.common.vec_env import VecEnv

_SHARE = 0.8
"""A buffer may take this share of the memory that is free."""


def step_bytes(env: VecEnv, observations: int = 1) -> int:
    """Bytes that a step of one environment takes in a buffer.

    Args:
        env: whose spaces say how much.
        observations: how many are kept; a replay buffer keeps the successor as well.
    """
    space, actions = env.observation_space, env.action_space
    entries = space.spaces.values() if isinstance(space, spaces.Dict) else [space]
    observation = sum(_bytes(entry) for entry in entries)
    return observations * observation + 8 * int(np.prod(actions.shape or (1,))) + 12


def refuse_beyond_memory(setting: str, value: int, each: int) -> None:
    """Raises ValueError where `value` times `each` bytes do not fit; says what value does."""
    available = free_bytes() * _SHARE
    needed = value * each
    if needed > available:
        fitting = max(1, int(available / each))
        raise ValueError(
            f"{setting}={value} takes {needed / 2**30:.1f} GiB in this environment, and {available / 2**30:.1f} GiB "
            f"are free. Use {setting}={fitting} or less, or smaller observations."
        )


def free_bytes() -> int:
    """Memory that this process can still take: the machine's, or its container's limit if lower."""
    available = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    meminfo = Path("/proc/meminfo")
    if meminfo.exists():
        for line in meminfo.read_text().splitlines():
            if line.startswith("MemAvailable:"):
                available = int(line.split()[1]) * 1024
    limit = Path("/sys/fs/cgroup/memory.max")
    if limit.exists():
        text = limit.read_text().strip()
        if text.isdigit():
            available = min(available, int(text))
    return available


def _bytes(space: spaces.Space[Any]) -> int:
    return int(np.prod(space.shape or (1,))) * np.dtype(space.dtype or np.float32).itemsize
