"""Look at a kinesthetic reward before training on it: over the field, and over recorded matches.

python -m scripts.analyse_reward reward=lucy [move=car] [ball=0,0,93] [car=0,-1000,17]
    [out=outputs/reward]
python -m scripts.analyse_reward RECORDING.npz... [reward=lucy] [events=lucy] [form=potential]
    [team_spirit=0.3] [out=outputs/reward]

The first draws OUT/field.png: the blue car (move=car) or the ball (move=ball) is moved over the
field at `height`, and what the reward is there for that car is the colour; everything else stays
where it is: ball, ball_velocity, car, car_velocity (the car looks along it, else at +y), boost;
opponent=X,Y,Z adds an orange car and team_spirit= what it costs. OUT/field.npz has the numbers. The
second plays recordings of scripts.match again and draws OUT/series.png (what the term pays, and
what that is made of, step by step), OUT/distributions.png and OUT/correlations.png; OUT/series.csv
has the numbers. It takes the term's arguments: form, discount (with gamma=), terminal,
negative_slope, team_spirit.

reward= and events= are names or expressions, as of the kinesthetic term; over the field, events are
what goals are marked with.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from envs.rocket.recording import Recording
from foundation.files import folder_for, replace_text
from scripts.configuration.arguments import parse
from scripts.configuration.arguments import run as run_command
from scripts.rocket import reward_field, reward_series
from shaping.kinesthetic import EVENTS, REWARDS, expression

FIELD = ("field.png", "field.npz")
SERIES = ("series.csv", "series.png", "distributions.png", "correlations.png")


def main(command_line: Sequence[str]) -> None:
    """The command line."""
    if any(word.endswith(".npz") for word in command_line):
        over_matches(command_line)
        return
    words, arguments = parse(command_line, reward_field.Arguments, __doc__)
    if words:
        raise ValueError(
            f"expected recordings (.npz), got {' '.join(words)}; make some with: python -m scripts.match kickoff "
            "chase_ball video=none"
        )
    expression(arguments.reward, REWARDS, "reward")
    expression(arguments.events, EVENTS, "events")
    out = folder_for(arguments.out, FIELD)
    reward_field.draw_field(out / "field.png", arguments)
    print("\n".join(str(out / name) for name in FIELD))


def over_matches(command_line: Sequence[str]) -> None:
    """The same for recordings."""
    words, arguments = parse(command_line, reward_series.Arguments, __doc__)
    if strange := [word for word in words if not word.endswith(".npz")]:
        raise ValueError(f"expected recordings (.npz), got {' '.join(strange)}")
    term = arguments.term()
    out = folder_for(arguments.out, SERIES)
    recordings = [Recording.load(Path(word)) for word in words]
    gamma = reward_series.GAMMA if arguments.gamma is None else arguments.gamma
    series = reward_series.over_recordings(term, recordings, gamma)
    replace_text(out / "series.csv", reward_series.as_csv(series))
    what = f"paid in the {arguments.form} form: reward {arguments.reward}, events {arguments.events}"
    reward_series.draw_series(out / "series.png", series, what)
    reward_series.draw_distributions(out / "distributions.png", series)
    reward_series.draw_correlations(out / "correlations.png", series)
    print("\n".join(str(out / name) for name in SERIES))


if __name__ == "__main__":
    run_command(main)
