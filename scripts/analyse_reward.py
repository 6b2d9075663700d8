"""Look at a kinesthetic reward before training on it: over the field, and over recorded matches.

python -m scripts.analyse_reward reward=lucy [move=car] [ball=0,0,93] [car=0,-1000,17]
    [out=outputs/reward]
python -m scripts.analyse_reward RECORDING.npz... [reward=lucy] [events=lucy] [out=outputs/reward]

The first draws OUT/field.png: the blue car (move=car) or the ball (move=ball) is moved over the
field at `height`, and what the reward is there for that car is the colour; everything else stays
where it is: ball, ball_velocity, car, car_velocity (the car looks along it, else at +y), boost;
opponent=X,Y,Z adds an orange car and team_spirit= what it costs. OUT/field.npz has the numbers. The
second plays recordings of scripts.match again and draws OUT/series.png (reward and components, step
by step), OUT/distributions.png and OUT/correlations.png; OUT/series.csv has the numbers.

reward= and events= are names or expressions, as of the kinesthetic term; events are what goals are
marked with.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from envs.rocket.recording import Recording
from foundation.files import replace_text
from scripts.configuration.arguments import parse
from scripts.configuration.arguments import run as run_command
from scripts.rocket.reward_field import Arguments, draw_field
from scripts.rocket.reward_series import as_csv, draw_correlations, draw_distributions, draw_series, over_recordings
from shaping.kinesthetic import EVENTS, REWARDS, expression


def main(command_line: Sequence[str]) -> None:
    """The command line."""
    words, arguments = parse(command_line, Arguments, __doc__)
    reward, events = expression(arguments.reward, REWARDS, "reward"), expression(arguments.events, EVENTS, "events")
    out = Path(arguments.out)
    if not words:
        draw_field(out / "field.png", arguments)
        print(f"{out / 'field.png'}\n{out / 'field.npz'}")
        return
    if not all(word.endswith(".npz") for word in words):
        raise ValueError(
            f"expected recordings (.npz), got {' '.join(words)}; make some with: python -m scripts.match kickoff "
            "chase_ball video=none"
        )
    series = over_recordings(reward, events, [Recording.load(Path(word)) for word in words])
    replace_text(out / "series.csv", as_csv(series))
    draw_series(out / "series.png", series, f"reward: {arguments.reward}, events: {arguments.events}")
    draw_distributions(out / "distributions.png", series)
    draw_correlations(out / "correlations.png", series)
    for name in ("series.csv", "series.png", "distributions.png", "correlations.png"):
        print(out / name)


if __name__ == "__main__":
    run_command(main)
