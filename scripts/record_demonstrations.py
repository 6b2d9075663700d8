"""Write demonstrations: what an expert does, step by step, for those who learn by imitation.

python -m scripts.record_demonstrations SOURCE out=FILE.npz [env=ENV] [env.kwargs.NAME=VALUE ...]
    [episodes=10] [n_envs=8] [seed=0] [deterministic=true] [least_return=NUMBER] [subsample=1]
    [trust=false]

SOURCE is one of
    RUN               a run directory: its agent plays the run's own environment
    scripted          the environment's expert that needs no training; scripted:NAME another one
    a file or folder  of demonstrations: ours (.npz), of `imitation` (.npz), a Minari dataset
env= is a card (minihack/key_room) or a gymnasium id; a run and a Minari dataset bring their own.
least_return= keeps only episodes that pay as much; subsample=20 keeps one step of 20, from a random
offset in each episode. docs/demonstrations.md says what is in FILE.
"""

from __future__ import annotations

from collections.abc import Sequence

from scripts.configuration.arguments import run as run_command
from scripts.demonstrations.recording import record_as_told


def main(command_line: Sequence[str]) -> None:
    """The command line."""
    print(record_as_told(command_line, __doc__))


if __name__ == "__main__":
    run_command(main)
