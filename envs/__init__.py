"""Environments: what the agent acts in.

    import gymnasium, envs
    env = gymnasium.make("breadcrumb/MiniHack-KeyRoom-S5-v0")              # one environment
    venv = envs.make_vec("breadcrumb/MiniHack-KeyRoom-S5-v0", n_envs=8)    # many, fast, for SB3

Importing this package finds every family that lies in it and registers its ids with gymnasium.
"""

from __future__ import annotations

from envs.catalogue import (
    EnvDescription,
    Family,
    Option,
    Potential,
    Request,
    describe,
    env_ids,
    experts,
    families,
    make,
    make_vec,
    options,
    refuse_arguments,
    registry,
    rows_together,
    trim,
)

__all__ = [
    "EnvDescription",
    "Family",
    "Option",
    "Potential",
    "Request",
    "describe",
    "env_ids",
    "experts",
    "make",
    "make_vec",
    "options",
    "refuse_arguments",
    "registry",
    "rows_together",
    "trim",
]

families()
