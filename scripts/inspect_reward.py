"""Look at a reward that a run has learned.

python -m scripts.inspect_reward RUN [term=gail] [x=0] [y=1] [action=2] [episodes=3] [points=61]
    [seed=0] [out=RUN/plots] [trust=false]

Lets the newest checkpoint play some episodes, and asks the term what it pays now. Where an
observation is one row of numbers, OUT/TERM_reward.png shows over two of them, numbers `x` and `y`,
the reward and how steep it is (the norm of its gradient over the two, in the observation's own
units), as far as the episodes came and with all other numbers at their medians; and what the steps
of the episodes would be paid. Of other observations, such as a Dict or images, the last alone.
OUT/TERM_reward.npz has the numbers. `action` is what is done there: one number, or several with
commas between; without it, the median of what was done (of choices, the most frequent).

Works for every term whose reward is a function of a step and of what was learned (gail, explors,
sors); without term=, the run's only such term.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from foundation.checks import whole
from foundation.files import folder_for
from scripts.configuration.arguments import parse
from scripts.configuration.arguments import run as run_command
from scripts.results import reward_picture
from scripts.running.run_directory import load_run


@dataclass(frozen=True)
class Arguments:
    """The command line's arguments."""

    term: str | None = None
    x: int = 0
    y: int = 1
    action: tuple[float, ...] = ()
    episodes: int = 3
    points: int = 61
    seed: int = 0
    out: str | None = None
    trust: bool = False

    def __post_init__(self) -> None:
        whole("episodes", self.episodes)
        whole("points", self.points, least=2, most=400)
        whole("x", self.x, least=0)
        whole("y", self.y, least=0)


def main(command_line: Sequence[str]) -> None:
    """The command line."""
    words, arguments = parse(command_line, Arguments, __doc__)
    if len(words) != 1:
        raise ValueError(f"expected one run directory, got {' '.join(words) or 'none'}")
    run = load_run(words[0], trust=arguments.trust)
    term = reward_picture.chosen_term(run, arguments.term)
    names = (f"{term}_reward.png", f"{term}_reward.npz")
    out = folder_for(Path(words[0]) / "plots" if arguments.out is None else arguments.out, names)
    drawn = reward_picture.look(
        run,
        term,
        axes=(arguments.x, arguments.y),
        action=arguments.action,
        points=arguments.points,
        episodes=arguments.episodes,
        seed=arguments.seed,
    )
    reward_picture.write(out / names[1], drawn)
    reward_picture.draw(out / names[0], drawn)
    print("\n".join(str(out / name) for name in names))


if __name__ == "__main__":
    run_command(main)
