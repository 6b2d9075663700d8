"""Points between Rocket players, recorded, and their recordings as pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from envs.rocket.contest import Rules, play
from envs.rocket.matches import scored
from envs.rocket.recording import Recording
from envs.rocket.rendering import picture
from envs.rocket.simulator import TICKS_PER_SECOND
from envs.rocket.start_mixture import StartMixture
from scripts.results.clips import LAST_FRAME_SECONDS, Picture, captioned
from scripts.results.figures import short_text
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

    makers = [player(word, trust=trust)[1] for word in words]
    orange = np.array([False] * rules.cars + [True] * rules.cars * (len(makers) - 1))
    mixture, random = StartMixture({start: 1.0}, len(orange)), np.random.default_rng(seed)
    starts = [mixture(random, orange) for _ in range(points)]
    set_random_seed(seed)
    second = makers[1] if len(makers) > 1 else None
    played = play(makers[0], second, starts, replace(rules, arenas=points), seed, record=True)
    return [point.recording for point in played if point.recording is not None]


def pictures(recordings: Sequence[Recording], reward: str = "") -> tuple[list[Picture], list[float]]:
    """Every state seen from above with the score over it, and how many seconds each is shown.

    With a reward, its value for the first car and what it is made of stand beside the field.
    """
    shown: list[Picture] = []
    seconds: list[float] = []
    paid = expression(reward, REWARDS, "reward") if reward else None
    score = [0, 0]
    for number, recording in enumerate(recordings, 1):
        pause = recording.tick_skip / TICKS_PER_SECOND
        view = None
        for step, states in enumerate(recording.play()):
            frame = picture(states, 0)
            if paid is not None:
                view = View(states, view, memory={} if view is None else view.memory)
                parts = {"reward": float(paid(view)[0, 0])}
                parts |= {name: float(values[0, 0]) for name, values in view.seen.items()}
                view.forget_before()
                frame = np.concatenate([frame, panel(parts, len(frame))], axis=1)
            goal = float(scored(states)[0])
            score[0] += goal > 0
            score[1] += goal < 0
            caption = f"point {number}    {score[0]} : {score[1]}    {step * pause:.1f} s"
            shown.append(captioned(frame, caption))
            seconds.append(pause)
        seconds[-1] = LAST_FRAME_SECONDS
    return shown, seconds


PANEL, LINE, PAD = 310, 15, 8  # pixels


def panel(numbers: Mapping[str, float], height: int) -> Picture:
    """A column of names and numbers (height, PANEL, 3); what does not fit below is counted."""
    image = Image.new("RGB", (PANEL, height), (22, 26, 32))
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(11)
    most = (height - 2 * PAD) // LINE
    lines = [(name, _number(value)) for name, value in numbers.items()]
    if len(lines) > most:
        lines = [*lines[: most - 1], (f"and {len(lines) - most + 1} more", "")]
    for index, (name, value) in enumerate(lines):
        y, room = PAD + index * LINE, PANEL - 3 * PAD - font.getlength(value)
        draw.text((PAD, y), _fitting(name, room, font), fill=(200, 204, 210), font=font)
        draw.text((PANEL - PAD, y), value, fill=(240, 240, 240), font=font, anchor="ra")
    return np.asarray(image)


def _fitting(name: str, room: float, font: Any) -> str:
    """As much of a name as has room, in pixels."""
    letters = len(name)
    while letters > 1 and font.getlength(short_text(name, letters)) > room:
        letters -= 1
    return short_text(name, letters)


def _number(value: float) -> str:
    """In nine letters or less, whatever its size."""
    return f"{value:+.2f}" if abs(value) < 10_000 else f"{value:+.1e}"
