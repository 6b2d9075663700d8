"""Let Rocket players meet, each against each, over many kickoffs.

python -m scripts.tournament PLAYER PLAYER... [points=200] [cars=1] [seconds=60] [seed=0]
    [out=outputs/tournament] [trust=false]

PLAYER is a bot (idle, random, chase_ball, goalie, kickoff), the run directory of an agent, whose
newest checkpoint plays, or a checkpoint (RUN/checkpoints/step_..., of which a run keeps
keep_checkpoints=), with sampled actions and what it was trained to see and do; NAME:PLAYER gives it
a name. trust=true lets runs of somebody else's execute the code that they name: see docs/trust.md.
A point ends with a goal or, drawn, when time is over; sides change at half time.
Agents decide as often as they were trained to; tick_skip= is the bots'. Prints the tables and
writes OUT/tournament.json and OUT/tournament.png. Ratings are those of Weng and Lin 2011
(Plackett-Luce, by openskill): skill ± 1.96 deviations.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from envs.rocket.contest import Rules, refuse_points
from envs.rocket.simulator import TICK_SKIP
from foundation.files import folder_for, replace_json
from scripts.configuration.arguments import parse
from scripts.configuration.arguments import run as run_command
from scripts.rocket.pairings import draw, play_all, ratings, table
from scripts.rocket.players import player, refuse_seed

OUT = "outputs/tournament"


@dataclass(frozen=True)
class Arguments:
    """The command line's arguments."""

    points: int = 200
    cars: int = 1
    seconds: float = 60.0
    no_touch_seconds: float = 15.0
    tick_skip: int = TICK_SKIP
    seed: int = 0
    out: str = OUT
    trust: bool = False


def main(command_line: Sequence[str]) -> None:
    """The command line."""
    words, arguments = parse(command_line, Arguments, __doc__)
    rules = Rules(arguments.cars, arguments.seconds, arguments.no_touch_seconds, arguments.tick_skip)
    refuse_points(arguments.points)
    refuse_seed(arguments.seed)
    out = folder_for(arguments.out, ("tournament.json", "tournament.png"))
    if len(words) < 2:
        raise ValueError(f"a tournament needs two players or more, such as: chase_ball goalie; got {words}")
    players = dict(player(word, trust=arguments.trust) for word in words)
    if len(players) < len(words):
        raise ValueError(f"two of {', '.join(words)} have the same name; give one with NAME:PLAYER")
    pairings = play_all(players, arguments.points, rules, arguments.seed, verbose=True)
    skills = ratings(pairings, arguments.seed)
    results = {
        "command": f"python -m scripts.tournament {' '.join(command_line)}",
        "rules": asdict(rules),
        "ratings": {name: {"skill": mu, "deviation": sigma} for name, (mu, sigma) in skills.items()},
        "pairings": [pairing.as_json() for pairing in pairings],
    }
    replace_json(out / "tournament.json", results)
    draw(out / "tournament.png", pairings, skills)
    print(f"\n{table(pairings, skills)}\n\n{out / 'tournament.json'}\n{out / 'tournament.png'}")


if __name__ == "__main__":
    run_command(main)
