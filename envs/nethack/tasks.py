"""Which NetHack and MiniHack tasks there are, which of them cannot work here, and why.

The tasks themselves are nle's and minihack's classes, and those of `extended_tasks`:
`stock_environment` builds one, and the rest of this package plays it faster and repairs it, but
never defines a task anew.
"""

from __future__ import annotations

import functools
import warnings
from typing import Any

import gymnasium
from gymnasium.envs.registration import load_env_creator

with warnings.catch_warnings():  # minihack 1.0.2 imports pkg_resources, which says at each import that it will go away
    warnings.simplefilter("ignore")
    import minihack  # noqa: F401  (registers its ids)
    import nle.env  # registers its ids

from envs.arguments import keywords
from envs.catalogue import NAMESPACE
from envs.nethack.extended_tasks import EXTENDED_IDS

REFUSED = {
    "MiniHack-Boxoban": "its levels have to be downloaded, and its reset takes no seed (minihack 1.0.2)",
    "MiniHack-SimpleCrossing": "minihack 1.0.2 gives minigrid 3 a grid_size and a width, which minigrid refuses",
    "MiniHack-LavaCrossing": "minihack 1.0.2 gives minigrid 3 a grid_size and a width, which minigrid refuses",
    "MiniHack-Navigation-Custom": "it needs a level of your own: build minihack.MiniHackNavigation directly",
    "MiniHack-Skill-Custom": "it needs a level of your own: build minihack.MiniHackSkill directly",
}

_NETHACK_TASKS = ("Score", "Staircase", "StaircasePet", "Oracle", "Gold", "Eat", "Scout", "Challenge")


def stock_ids() -> tuple[str, ...]:
    """The stock gymnasium ids of every task, refused ones included, as they were registered.

    MiniHack levels of a module of one's own are among them from the moment they are registered.
    """
    nethack = [f"NetHack{task}-v0" for task in _NETHACK_TASKS]
    minihacks = [name for name in gymnasium.registry if name.startswith("MiniHack-")]
    return (*nethack, *EXTENDED_IDS, *minihacks)


def is_task(name: str) -> bool:
    """Is a registered id an environment of nle's, whatever it is called and whoever wrote it?"""
    if name not in gymnasium.registry:
        return False
    try:
        creator = _creator(name)
    except Exception:  # whatever its module raises is told to who builds it
        return False
    return isinstance(creator, type) and issubclass(creator, nle.env.NLE)


def stock_id(env_id: str) -> str:
    """`breadcrumb/NetHackScore-v0` -> `NetHackScore-v0`."""
    return env_id.removeprefix(NAMESPACE)


def why_refused(env_id: str) -> str | None:
    """The reason why this task cannot be built here, or None."""
    name = stock_id(env_id)
    return next((reason for prefix, reason in REFUSED.items() if name.startswith(prefix)), None)


def stock_environment(env_id: str, **kwargs: Any) -> Any:
    """nle's or minihack's own environment, bare of gymnasium's wrappers.

    Raises:
        ValueError: for a task that cannot work with the installed versions, with the reason.
    """
    reason = why_refused(env_id)
    if reason is not None:
        raise ValueError(f"{stock_id(env_id)} cannot be built: {reason}. Choose another of envs.env_ids().")
    create = _creator(env_id)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return create(**{**gymnasium.spec(stock_id(env_id)).kwargs, **kwargs})


@functools.cache
def task_arguments(env_id: str) -> frozenset[str] | None:
    """The arguments that a task's own constructor takes, None where that cannot be known."""
    accepted = keywords(_creator(env_id))
    return None if accepted is None else accepted - {"fix_moon_phase"}  # which is ours to give


def _creator(env_id: str) -> Any:
    entry_point = gymnasium.spec(stock_id(env_id)).entry_point
    assert entry_point is not None
    return load_env_creator(entry_point) if isinstance(entry_point, str) else entry_point
