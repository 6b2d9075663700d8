"""Points between Rocket players, recorded, and their recordings as pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from envs.rocket.contest import Rules, play
from envs.rocket.matches import TICKS_PER_SECOND, in_goal
from envs.rocket.recording import Recording
from envs.rocket.rendering import picture
from envs.rocket.starts import StartMixture
from foundation.checks import whole
from scripts.results.clips import LAST_FRAME_SECONDS, Picture, captioned
from scripts.rocket.players import player
from shaping.kinesthetic import REWARDS, expression
from shaping.kinesthetic.states import View


def record(
    words: Sequence[str], points: int, start: str, rules: Rules, seed: int, *, trust: bool = False
) -> list[Recording]:
    """Points between the players that the words name, side by side.

    Args:
        words: one or two players.
        points: how many.
        start: how a point begins.
        rules: of the match; its number of arenas is that of the points.
        seed: of the starts and the players.
        trust: see `player`.

    Raises:
        ValueError: what cannot be played.
    """
    from stable_baselines3.common.utils import set_random_seed

    whole("points", points)
    makers = [player(word, trust=trust)[1] for word in words]
    orange = np.array([False] * rules.cars + [True] * rules.cars * (len(makers) - 1))
    mixture, random = StartMixture({start: 1.0}, len(orange)), np.random.default_rng(seed)
    starts = [mixture(random, orange) for _ in range(points)]
    set_random_seed(seed)
    played = play(makers[0], makers[1] if len(makers) > 1 else None, starts, replace(rules, arenas=points), record=True)
    return [point.recording for point in played if point.recording is not None]


def pictures(recordings: Sequence[Recording], reward: str = "") -> tuple[list[Picture], list[float]]:
    """Every state seen from above with the score over it, and how many seconds each is shown."""
    shown: list[Picture] = []
    seconds: list[float] = []
    paid = expression(reward, REWARDS, "reward") if reward else None
    score = [0, 0]
    for number, recording in enumerate(recordings, 1):
        pause = recording.tick_skip / TICKS_PER_SECOND
        view = None
        for step, states in enumerate(recording.play()):
            parts: dict[str, float] = {}
            if paid is not None:
                view = View(states, view, memory={} if view is None else view.memory)
                parts["reward"] = float(paid(view)[0, 0])
                parts |= {name: float(values[0, 0]) for name, values in view.seen.items()}
                view.forget_before()
            goal = float(in_goal(states)[0])
            score[0] += goal > 0
            score[1] += goal < 0
            caption = f"point {number}    {score[0]} : {score[1]}    {step * pause:.1f} s"
            shown.append(captioned(picture(states, 0, parts), caption))
            seconds.append(pause)
        seconds[-1] = LAST_FRAME_SECONDS
    return shown, seconds
