"""The cards of the tasks: what `env=minihack/...` and `env=nethack/...` take."""

from __future__ import annotations

from envs.catalogue import NAMESPACE, Option, Potential

_KEY = ("picked_up_key", "opened_door")
_EXPLORE = ("new_room", "saw_stairs")
_DEEPER = ("deeper_level", "gained_level", "gained_experience")

_KEY_TASK = (
    "Pick up the key that lies in the room, open the locked door with it and go down the stairs behind the door."
)
_STAIRS_TASK = "Find the stairs down and go to them."
_TASKS = {
    "Score": "Get as many points as possible: kill monsters, find gold and go deeper into the dungeon.",
    "Staircase": "Find the stairs down and go to them.",
    "StaircasePet": "Find the stairs down and go to them with the pet beside you.",
    "Oracle": "Find the Oracle, who lives some levels down in the dungeon.",
    "Gold": "Find as much gold as possible and go deeper into the dungeon.",
    "Eat": "Stay fed: find things that can be eaten and eat them.",
    "Scout": "See as much of the dungeon as possible.",
    "Challenge": "Retrieve the Amulet of Yendor from the depths of the dungeon and ascend.",
}
_SUBGOALS = {
    "picked_up_key": "pick up the key",
    "opened_door": "open the door",
    "saw_stairs": "find the stairs",
    "killed_monster": "kill a monster",
    "new_room": "enter a new room",
    "deeper_level": "go down to a deeper level",
    "gained_level": "gain an experience level",
    "gained_experience": "gain experience",
    "found_gold": "find gold",
    "ate": "eat something",
}
"""The usual events in words."""
_NEARER = Potential("stairs_distance", -1.0)


def _minihack(name: str, level: str, steps: int, *events: str) -> Option:
    return Option(
        f"minihack/{name}",
        f"{NAMESPACE}MiniHack-{level}-v0",
        steps=steps,
        events=events,
        potential=_NEARER,
        task=_KEY_TASK if events == _KEY else _STAIRS_TASK,
        subgoals={_SUBGOALS[event]: event for event in events},
    )


def _nethack(name: str, task: str, words: str, *events: str) -> Option:
    return Option(
        f"nethack/{name}",
        f"{NAMESPACE}NetHack{task}",
        steps=2_000_000,
        events=events,
        potential=_NEARER,
        task=words,
        subgoals={_SUBGOALS[event]: event for event in events},
        statistics=True,
    )


OPTIONS = (
    _minihack("key_room", "KeyRoom-S5", 120_000, *_KEY),
    _minihack("key_room_fixed", "KeyRoom-Fixed-S5", 120_000, *_KEY),
    _minihack("key_room_dark", "KeyRoom-Dark-S5", 500_000, *_KEY),
    _minihack("key_room_s15", "KeyRoom-S15", 2_000_000, *_KEY),
    _minihack("room_5x5", "Room-5x5", 50_000, "saw_stairs"),
    _minihack("room_random_5x5", "Room-Random-5x5", 50_000, "saw_stairs"),
    _minihack("room_15x15", "Room-15x15", 200_000, "saw_stairs"),
    _minihack("room_random_15x15", "Room-Random-15x15", 200_000, "saw_stairs"),
    _minihack("room_dark_5x5", "Room-Dark-5x5", 100_000, "saw_stairs"),
    _minihack("room_monster_5x5", "Room-Monster-5x5", 100_000, "saw_stairs", "killed_monster"),
    _minihack("room_trap_5x5", "Room-Trap-5x5", 100_000, "saw_stairs"),
    _minihack("room_ultimate_5x5", "Room-Ultimate-5x5", 200_000, "saw_stairs", "killed_monster"),
    _minihack("corridor_r2", "Corridor-R2", 500_000, *_EXPLORE),
    _minihack("corridor_r3", "Corridor-R3", 1_000_000, *_EXPLORE),
    _minihack("corridor_r5", "Corridor-R5", 2_000_000, *_EXPLORE),
    _minihack("maze_walk_9x9", "MazeWalk-9x9", 300_000, "saw_stairs"),
    _minihack("river", "River", 2_000_000, "saw_stairs"),
    _minihack("river_narrow", "River-Narrow", 1_000_000, "saw_stairs"),
    _minihack("labyrinth_small", "Labyrinth-Small", 1_000_000, "saw_stairs"),
    _minihack("multiroom_n2", "MultiRoom-N2", 500_000, "opened_door", *_EXPLORE),
    _nethack("score", "Score-v0", _TASKS["Score"], *_DEEPER),
    _nethack("staircase", "Staircase-v0", _TASKS["Staircase"], *_EXPLORE),
    _nethack("staircase_pet", "StaircasePet-v0", _TASKS["StaircasePet"], *_EXPLORE),
    _nethack("oracle", "Oracle-v0", _TASKS["Oracle"], *_DEEPER),
    _nethack("gold", "Gold-v0", _TASKS["Gold"], "found_gold", *_DEEPER),
    _nethack("eat", "Eat-v0", _TASKS["Eat"], "ate", *_DEEPER),
    _nethack("scout", "Scout-v0", _TASKS["Scout"], "new_room", "deeper_level"),
    _nethack("challenge", "Challenge-v0", _TASKS["Challenge"], *_DEEPER),
    _nethack("score_extended", "ScoreExtendedActions-v1", _TASKS["Score"], *_DEEPER),
    _nethack("reward_free", "RewardFreeExtendedActions-v1", _TASKS["Score"], *_DEEPER),
    _nethack("staircase_lvl3", "StaircaseLvl3ExtendedActions-v1", "Go down the stairs to level 3.", *_DEEPER),
    _nethack("staircase_lvl4", "StaircaseLvl4ExtendedActions-v1", "Go down the stairs to level 4.", *_DEEPER),
    _nethack("oracle_extended", "OracleExtendedActions-v1", _TASKS["Oracle"], *_DEEPER),
    _nethack("oracle_sober", "OracleSoberExtendedActions-v1", _TASKS["Oracle"], *_DEEPER),
)
