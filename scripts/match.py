"""Watch Rocket players: play some points, keep them, and draw them.

python -m scripts.match PLAYER [PLAYER] [points=3] [starts=kickoff] [video=gif] [reward=]
    [out=outputs/match]
python -m scripts.match RECORDING.npz... [video=mp4] [reward=lucy] [out=outputs/match]

PLAYER is what scripts.tournament takes; one alone plays without opponents. Further options: cars,
seconds, no_touch_seconds, tick_skip (of the bots; agents decide as often as they were trained to),
seed, trust (as there). Writes OUT/point-1.npz ..., every state bit for bit, and OUT/match.gif or
OUT/match.mp4. reward= is a kinesthetic reward, by name or as an expression: its value and its parts
for the first car stand beside the picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from envs.rocket.contest import Rules
from envs.rocket.recording import Recording
from envs.rocket.simulator import TICK_SKIP
from envs.rocket.starts import STARTS
from foundation.checks import number, one_of, whole
from foundation.files import folder_for
from scripts.configuration.arguments import parse
from scripts.configuration.arguments import run as run_command
from scripts.results.clips import write_gif, write_mp4
from scripts.rocket.match_pictures import pictures, record
from scripts.rocket.players import refuse_seed
from shaping.kinesthetic import REWARDS, expression

VIDEOS = ("gif", "mp4", "none")
MOST_POINTS = 1000  # they are played side by side, and kept until all are over


@dataclass(frozen=True)
class Arguments:
    """The command line's arguments."""

    points: int = 3
    cars: int = 1
    starts: str = "kickoff"
    seconds: float = 30.0
    no_touch_seconds: float = 15.0
    tick_skip: int = TICK_SKIP
    seed: int = 0
    video: str = "gif"
    reward: str = ""
    out: str = "outputs/match"
    trust: bool = False


def main(command_line: Sequence[str]) -> None:
    """The command line."""
    words, arguments = parse(command_line, Arguments, __doc__)
    one_of("video", arguments.video, VIDEOS)
    one_of("starts", arguments.starts, STARTS)
    if arguments.reward:
        expression(arguments.reward, REWARDS, "reward")
    rules = Rules(arguments.cars, arguments.seconds, arguments.no_touch_seconds, arguments.tick_skip)
    number("points", whole("points", arguments.points), least=1, most=MOST_POINTS)
    refuse_seed(arguments.seed)
    saved = [f"point-{index}.npz" for index in range(1, arguments.points + 1)]
    out = folder_for(arguments.out, [f"match.{arguments.video}", *saved])
    if words and all(word.endswith(".npz") for word in words):
        recordings = [Recording.load(Path(word)) for word in words]
    elif len(words) in (1, 2):
        recordings = record(words, arguments.points, arguments.starts, rules, arguments.seed, trust=arguments.trust)
        for name, recording in zip(saved, recordings, strict=True):
            recording.save(out / name)
            print(out / name)
    else:
        raise ValueError("expected one or two players, such as: kickoff chase_ball; or recordings (.npz)")
    if arguments.video == "none":
        return
    shown, seconds = pictures(recordings, arguments.reward)
    path = out / f"match.{arguments.video}"
    if arguments.video == "gif":
        write_gif(path, shown, seconds)
    else:
        write_mp4(path, shown, 1.0 / seconds[0])
    print(f"{path}: {len(shown)} pictures")


if __name__ == "__main__":
    run_command(main)
