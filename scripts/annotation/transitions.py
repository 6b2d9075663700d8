"""Labelled transitions of text games: what a judge is shown, and what happened.

    data = build("MiniHack-KeyRoom-S5-v0", 50, "balanced", seed=0)   # 17 keys, 17 doors, 16 neither
    save(Path("key_room.jsonl"), data)                               # a JSON object a line
    data = load(Path("key_room.jsonl"))

The sets are those of the CALM paper (Pignatelli et al. 2024, arXiv 2409.12798). There a PPO agent
in training plays and its words are read for the labels; here a scripted player and chance take
turns, and labels are the environment's own symbolic events.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from itertools import islice
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np

import envs
from envs.episode_seeds import EpisodeSeeds
from envs.nethack.scripted import KeyRoomPlayer
from foundation.checks import number, one_of, whole
from foundation.files import replace_text
from foundation.naming import nearest

BALANCES = ("balanced", "unbalanced", "natural")
EVENTS = ("picked_up_key", "opened_door")
REPORT = ("events", "caption", "message", "action", "crop", "map")
RARE_PERCENT = 4
"""Share of each event in an unbalanced set."""
KEPT = 0.1
"""Share of the transitions without an event that are kept: neighbours would fill the set."""
PATIENCE = 400
"""Steps played for a transition asked for before `build` gives up; KeyRoom needs about ten."""
NONE = "none"


@dataclass(frozen=True)
class LabelledTransition:
    """One step of a game in words.

    Attributes:
        env_id: the environment.
        episode_seed, step: which step of which episode; the first is step 0.
        action: the word for what the agent did.
        message: what the game said to it.
        caption: the transition in one line.
        crop, next_crop: the characters around the hero before and after, a space between any two of
            a line.
        map, next_map: the part of the map that shows something, before and after.
        labels: event -> did it happen on this transition?
    """

    env_id: str
    episode_seed: int
    step: int
    action: str
    message: str
    caption: str
    crop: str
    next_crop: str
    map: str
    next_map: str
    labels: dict[str, bool]

    def to_json(self) -> str:
        """One line of ASCII."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> LabelledTransition:
        """What `to_json` wrote.

        Raises:
            ValueError: for anything else, with what is wrong.
        """
        try:
            content = json.loads(text)
        except RecursionError:
            raise ValueError("not a transition: nested too deeply") from None
        if not isinstance(content, dict):
            raise ValueError(f"not a transition: a JSON {type(content).__name__} where an object is expected")
        names = {field.name for field in fields(cls)}
        if content.keys() != names:
            missing, unknown = sorted(names - content.keys()), sorted(content.keys() - names)
            raise ValueError(f"not a transition: missing {missing or 'nothing'}, unknown {unknown or 'nothing'}"[:300])
        for field in fields(cls):
            wrong = _WRONG[str(field.type)](content[field.name])
            if wrong:
                raise ValueError(f"{field.name} should be {wrong}, not {content[field.name]!r:.60}")
        return cls(**content)


def _text(value: Any) -> str:
    # Half a surrogate pair is valid JSON and cannot be written or sent anywhere.
    good = isinstance(value, str) and not any("\ud800" <= character <= "\udfff" for character in value)
    return "" if good else "a text"


def _number(value: Any) -> str:
    return "" if type(value) is int and 0 <= value < 2**63 else "an integer from 0 to 2**63 - 1"


def _labels(value: Any) -> str:
    good = isinstance(value, dict) and all(not _text(name) and type(label) is bool for name, label in value.items())
    return "" if good and value else "an object with at least one event: true or false"


_WRONG = {"str": _text, "int": _number, "dict[str, bool]": _labels}
"""By the type of a field: what it should be, where the value is not."""


def record(
    env_id: str, n: int, *, seed: int, events: Sequence[str] = EVENTS, scripted: float = 0.5, split: str = "eval"
) -> Iterator[LabelledTransition]:
    """Play episodes and yield the first `n` transitions as they come.

    Args:
        env_id: a NetHack or MiniHack environment; "breadcrumb/" may be left out.
        n: how many.
        seed: of the episodes and of the random actions; the same seed gives the same transitions.
        events: what to label.
        scripted: share of the actions that `KeyRoomPlayer` chooses; the rest are uniformly random.
            With 0.5, KeyRoom-S5 gives a key and a door every twenty-odd transitions.
        split: "train" or "eval": the two never share an episode.

    Raises:
        ValueError: for an unknown environment or event, with the nearest names; for an impossible
            n, share or split.
    """
    env_id = _known(env_id, events)
    whole("n", n)
    number("scripted", scripted, least=0, most=1)
    episodes = EpisodeSeeds(1, seed, split)
    random = np.random.default_rng([seed % 2**63, split == "eval"])
    return islice(_play(env_id, episodes, random, tuple(events), scripted), n)


def _play(
    env_id: str, episodes: EpisodeSeeds, random: np.random.Generator, events: tuple[str, ...], scripted: float
) -> Iterator[LabelledTransition]:
    keys = ("glyphs", "raw_blstats", "inv_glyphs")
    env = gymnasium.make(env_id, observation_keys=keys, report=REPORT, events=events)
    try:
        player = KeyRoomPlayer(env)
        actions = int(env.action_space.n)  # type: ignore[attr-defined]
        while True:
            observation, before = env.reset(seed=episodes.next(0))
            player.reset()
            episode_seed, step, over = before["episode_seed"], 0, False
            while not over:
                advised = player(observation)  # asked at every step: it remembers where it has been
                action = advised if random.random() < scripted else int(random.integers(actions))
                observation, _, terminated, truncated, info = env.step(action)
                happened = info.get("events", ())
                yield LabelledTransition(
                    env_id, episode_seed, step, info["action"], info["message"], info["caption"],
                    before["crop"], info["crop"], before["map"], info["map"],
                    {event: event in happened for event in events},
                )  # fmt: skip
                before, step, over = info, step + 1, terminated or truncated
    finally:
        env.close()


def build(
    env_id: str, n: int, balance: str = "balanced", *, seed: int = 0, events: Sequence[str] = EVENTS
) -> list[LabelledTransition]:
    """A data set of `n` transitions of held-out episodes, in the order of play.

    The same arguments give the same set.

    Args:
        env_id: a NetHack or MiniHack environment; "breadcrumb/" may be left out.
        n: how many transitions.
        balance: "balanced": as many of each event as of none, the remainder to the first events
            (50 -> 17, 17, 16). "unbalanced": 4 % of each event (50 -> 2, 2, 46). "natural": as they
            come, one after the other. But for "natural", one in ten of the transitions without an
            event is kept, as in the paper.
        seed: of the episodes and of the play.
        events: the classes. A transition on which several happen counts for the first of them.

    Raises:
        ValueError: for an unknown environment, event or balance, with the nearest names; for an n
            that leaves a class empty; when a class is still not full after a great many steps, with
            how many were found.
    """
    env_id = _known(env_id, events)
    wanted = _class_sizes(n, balance, events)
    if balance == "natural":
        return list(record(env_id, n, seed=seed, events=events))
    thin = np.random.default_rng([seed % 2**63, n])
    filled: Counter[str] = Counter()
    kept: list[LabelledTransition] = []
    for transition in record(env_id, PATIENCE * n, seed=seed, events=events):
        kind = next((event for event in events if transition.labels[event]), NONE)
        if filled[kind] >= wanted[kind] or (kind == NONE and thin.random() >= KEPT):
            continue
        filled[kind] += 1
        kept.append(transition)
        if len(kept) == n:
            return kept
    lacking = ", ".join(f"{filled[kind]} of {size} {kind}" for kind, size in wanted.items() if filled[kind] < size)
    raise ValueError(
        f"{PATIENCE * n} steps of {env_id} gave only {lacking}: too rare for the scripted player and random actions; "
        "ask for other events, a smaller n or balance='natural'"
    )


def _known(env_id: str, events: Sequence[str]) -> str:
    """The canonical id of an environment that can label these events."""
    description = envs.describe(env_id)
    if missing := sorted(set(REPORT) - description.reports):
        raise ValueError(f"{description.id} cannot report {', '.join(missing)}, which a judge of transitions reads")
    for event in events:
        if event not in description.events:
            hint = nearest(event, description.events)
            raise ValueError(
                f"{description.id} has no event {event!r}.{hint} All events: {', '.join(description.events)}."
            )
    if not events or len(set(events)) < len(events):
        raise ValueError(f"events is {list(events)}; name at least one, and each once")
    return description.id


def _class_sizes(n: int, balance: str, events: Sequence[str]) -> dict[str, int]:
    """How many transitions of each event, and of none; they sum to n."""
    one_of("balance", balance, BALANCES)
    least = {"balanced": len(events) + 1, "unbalanced": -(-100 // RARE_PERCENT), "natural": 1}[balance]
    if n < least:
        raise ValueError(f"n is {n}; a {balance} set with {len(events)} events needs at least {least} transitions")
    if balance == "balanced":
        size, rest = divmod(n, len(events) + 1)
        sizes = [size + (index < rest) for index in range(len(events))]
    else:
        sizes = [n * RARE_PERCENT // 100] * len(events)
    return {**dict(zip(events, sizes, strict=True)), NONE: n - sum(sizes)}


def save(path: Path, transitions: Sequence[LabelledTransition]) -> None:
    """Write a data set, a JSON object a line; the file appears whole or not at all.

    Raises:
        ValueError: for no transitions, which `load` would refuse.
        OSError: it cannot be written.
    """
    if not transitions:
        raise ValueError("there are no transitions to save")
    replace_text(path, "".join(transition.to_json() + "\n" for transition in transitions))


def load(path: Path) -> list[LabelledTransition]:
    """Read what `save` wrote.

    Raises:
        ValueError: something else is in the file: names the line and what is wrong with it.
        OSError: it cannot be read.
    """
    transitions = []
    for position, line in enumerate(path.read_bytes().split(b"\n"), start=1):
        if line.strip():
            try:
                transitions.append(LabelledTransition.from_json(line.decode("utf-8")))
            except ValueError as error:
                raise ValueError(f"{path}, line {position}: {error}") from None
    if not transitions:
        raise ValueError(f"{path} holds no transitions")
    return transitions
