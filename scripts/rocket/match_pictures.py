"""Watch Rocket players: play some points, keep them, and draw them.

python -m scripts.match PLAYER [PLAYER] [points=3] [starts=kickoff] [video=gif] [reward=] [out=outputs/match]
python -m scripts.match RECORDING.npz... [video=mp4] [reward=lucy] [out=outputs/match]

PLAYER is what scripts.tournament takes; one alone plays without opponents. Further options: cars, seconds,
no_touch_seconds, tick_skip, seed. Writes OUT/point-1.npz ..., every state bit for bit, and OUT/match.gif or
OUT/match.mp4. reward= is a kinesthetic reward, by name or as an expression: its value and its parts for the first car
stand in the picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from envs.rocket.contest import Rules, play
from envs.rocket.matches import TICKS_PER_SECOND, in_goal
from envs.rocket.recording import Recording
from envs.rocket.rendering import picture
from envs.rocket.starts import StartMixture
from scripts.clip import LAST_FRAME_SECONDS, Picture, captioned, write_gif, write_mp4
from scripts.options import parse
from scripts.options import run as run_command
from scripts.tournament import player
from shaping.kinesthetic import REWARDS, expression
from shaping.kinesthetic.states import View

VIDEOS = ("gif", "mp4", "none")


@dataclass(frozen=True)
class Options:
    """The command line's options."""

    points: int = 3
    cars: int = 1
    starts: str = "kickoff"
    seconds: float = 30.0
    no_touch_seconds: float = 15.0
    tick_skip: int = 8
    seed: int = 0
    video: str = "gif"
    reward: str = ""
    out: str = "outputs/match"


def record(words: Sequence[str], options: Options) -> list[Recording]:
    """Points between the players that the words name.

    Raises:
        ValueError: what cannot be played.
    """
    from stable_baselines3.common.utils import set_random_seed

    if options.points < 1:
        raise ValueError(f"points={options.points}: expected at least 1")
    makers = [player(word)[1] for word in words]
    rules = Rules(options.cars, options.seconds, options.no_touch_seconds, options.tick_skip, arenas=options.points)
    orange = np.array([False] * options.cars + [True] * options.cars * (len(makers) - 1))
    mixture, random = StartMixture({options.starts: 1.0}, len(orange)), np.random.default_rng(options.seed)
    starts = [mixture(random, orange) for _ in range(options.points)]
    set_random_seed(options.seed)
    points = play(makers[0], makers[1] if len(makers) > 1 else None, starts, rules, record=True)
    return [point.recording for point in points if point.recording is not None]


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


def main(arguments: Sequence[str]) -> None:
    """The command line."""
    words, options = parse(arguments, Options, __doc__)
    if options.video not in VIDEOS:
        raise ValueError(f"video={options.video!r}: expected {', '.join(VIDEOS)}")
    if options.reward:
        expression(options.reward, REWARDS, "reward")
    out = Path(options.out)
    if words and all(word.endswith(".npz") for word in words):
        recordings = [Recording.load(Path(word)) for word in words]
    elif len(words) in (1, 2):
        recordings = record(words, options)
        for number, recording in enumerate(recordings, 1):
            recording.save(out / f"point-{number}.npz")
            print(out / f"point-{number}.npz")
    else:
        raise ValueError("expected one or two players, such as: kickoff chase_ball; or recordings (.npz)")
    if options.video == "none":
        return
    shown, seconds = pictures(recordings, options.reward)
    path = out / f"match.{options.video}"
    if options.video == "gif":
        write_gif(path, shown, seconds)
    else:
        write_mp4(path, shown, 1.0 / seconds[0])
    print(f"{path}: {len(shown)} pictures")


if __name__ == "__main__":
    run_command(main)
