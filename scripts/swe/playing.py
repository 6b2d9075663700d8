"""Episodes of the text face as records, and what they come to together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from envs.swe.grading.predictions import Prediction
from envs.swe.rules import OUTCOMES
from envs.swe.text.env import SweTextEnv
from scripts.swe.players import Player
from shaping.llm import LanguageModelError

Say = Callable[[str], object]


@dataclass
class Episode:
    """What was played.

    Attributes:
        turns: each with prompt (messages), reply, observation, channels, reward.
        outcome: one of `OUTCOMES`, or None where the episode has none (`ended` says why).
        ended: "outcome", "sandbox lost", or what the model's error was.
    """

    task_id: str
    episode_seed: int
    agent: str
    prompt: str
    turns: list[dict[str, Any]] = field(default_factory=list)
    outcome: str | None = None
    ended: str = "cut off"
    stats: dict[str, float] = field(default_factory=dict)
    patch: str = ""

    def row(self) -> dict[str, Any]:
        return asdict(self)

    def prediction(self) -> Prediction:
        """In SWE-bench's format: what was never submitted is no patch."""
        submitted = self.outcome not in (None, "no_submit")
        return Prediction(self.task_id, self.agent, self.patch if submitted else "")


def play(env: SweTextEnv, player: Player, say: Say, seed: int | None = None) -> Episode:
    """One episode, told turn by turn. A model that fails ends it: `Episode.ended` says why."""
    observation, info = env.reset(seed=seed)
    episode = Episode(info["task_id"], info["episode_seed"], player.name, observation)
    player.begin(env.task)
    say(f"=== {episode.task_id}\n{observation}")
    over = False
    while not over:
        try:
            reply = player.act(observation)
        except LanguageModelError as error:
            episode.ended = f"{type(error).__name__}: {error}"
            break
        episode.agent = player.name  # an endpoint's model has its name after the first answer
        observation, reward, terminated, truncated, info = env.step(reply)
        over = terminated or truncated
        turn = {"prompt": [dict(message) for message in player.prompt], "reply": reply, "observation": observation}
        episode.turns.append({**turn, "channels": info["reward_channels"], "reward": reward})
        say(told(len(episode.turns), reply, observation, info["reward_channels"]))
    if over:
        episode.ended = "sandbox lost" if info.get("sandbox_lost") else "outcome"
        episode.outcome, episode.stats = info.get("outcome"), info.get("stats", {})
    episode.patch = env.patch()
    return episode


def told(number: int, reply: str, observation: str, channels: dict[str, float]) -> str:
    earned = ", ".join(f"{name} {value:g}" for name, value in channels.items()) or "nothing"
    return f"--- turn {number}: agent\n{reply}\n--- environment ({earned})\n{observation}"


def report(episodes: Sequence[Episode]) -> dict[str, Any]:
    """CR, MR, RR, invalid share and outcomes over the episodes that have an outcome."""
    ended = [episode for episode in episodes if episode.outcome is not None]
    places = [OUTCOMES.index(episode.outcome) for episode in ended]
    turns = sum(len(episode.turns) for episode in ended)
    invalid = sum(round(episode.stats["invalid_action_share"] * len(episode.turns)) for episode in ended)
    counts = Counter(episode.outcome for episode in ended)
    return {
        "episodes": len(ended),
        "without_outcome": len(episodes) - len(ended),
        "completed": sum(place > 0 for place in places),
        "modified": sum(place > 1 for place in places),
        "resolved": sum(place > 2 for place in places),
        "turns": turns,
        "invalid": invalid,
        "outcomes": {outcome: counts[outcome] for outcome in OUTCOMES},
    }


def described(found: dict[str, Any], agent: str) -> str:
    """The report in words, every share with its counts."""
    of = found["episodes"]
    shares = [
        f"{name} {share(found[key], of)}" for name, key in (("CR", "completed"), ("MR", "modified"), ("RR", "resolved"))
    ]
    lines = [
        f"{agent}: {of} episodes with an outcome, {found['without_outcome']} without",
        ", ".join(shares),
        f"invalid actions {share(found['invalid'], found['turns'])}",
        "outcomes " + ", ".join(f"{name} {count}" for name, count in found["outcomes"].items()),
    ]
    return "\n".join(lines)


def share(part: int, whole: int) -> str:
    """
    >>> share(1, 4), share(0, 0)
    ('25 % (1 of 4)', 'none (0 of 0)')
    """
    return f"{100 * part / whole:.0f} % ({part} of {whole})" if whole else "none (0 of 0)"
