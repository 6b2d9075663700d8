"""Hide a text or a file in the play of a trained run.

python -m scripts.send MESSAGE_OR_FILE run=RUN [out=RUN/messages/message.npz] [temperature=1.0]
    [episodes=100] [seed=0] [gif=true] [block=8] [levels=1024] [coupling=greedy] [noise=0]
    [rate=none] [encoder=ebim] [pilots=5] [tolerance=NUMBER] [trust=false]

The agent plays its environment as it learned to, and is paid as much; which of its actions it draws
tells the message, over as many episodes as it takes. OUT holds what was played, with what a
receiver must share; beside it lie the belief in the message over time (.png) and the play with the
message growing beside it (.gif). python -m scripts.receive OUT run=RUN reads it back, in another
process or on a machine that has a copy of the run.

temperature= above 1 tells more and plays worse. episodes= is the most that are played. rate= tells
at most that share of a block in a step; noise= is a chance that an action fails, which both reckon
with. An episode in which a probability comes closer than tolerance= to where it would be rounded
otherwise is played again. docs/coding.md says more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from scripts.coding.telling import Settings, send
from scripts.configuration.arguments import parse
from scripts.configuration.arguments import run as run_command
from scripts.running.run_directory import load_run


@dataclass(frozen=True)
class Arguments(Settings):
    """The command line's arguments: what both players share, and what is the sender's alone."""

    run: str = ""
    out: str = ""
    episodes: int = 100
    seed: int = 0
    gif: bool = True
    pilots: int = 5
    tolerance: float | None = None
    trust: bool = False


def main(command_line: Sequence[str]) -> None:
    """The command line."""
    messages, given = parse(command_line, Arguments, __doc__)
    if len(messages) != 1 or not given.run:
        raise ValueError('expected a message and a run: python -m scripts.send "meet me at noon" run=RUN')
    run = load_run(given.run, trust=given.trust)
    out = Path(given.out) if given.out else run.path / "messages" / "message.npz"
    settings = Settings(**{name: getattr(given, name) for name in Settings.__dataclass_fields__})
    told = send(
        run,
        content_of(messages[0]),
        settings,
        out,
        seed=given.seed,
        episodes=given.episodes,
        pilots=given.pilots,
        tolerance=given.tolerance,
        gif=given.gif,
    )
    again = f", {told['played_again']} more played again" if told["played_again"] else ""
    print(
        f"{told['content_bytes']} bytes ({told['bits']} bits) told in {told['episodes']} episodes, {told['steps']} "
        f"steps{again}\n"
        f"  bits           {told['bits_per_step']:.2f} a step, {told['bits_per_episode']:.1f} an episode of "
        f"{told['capacity_mean']:.1f} that it carries\n"
        f"  task return    mean {told['return_mean']:.3f}; without a message {told['pilot_return_mean']:.3f}\n"
        f"  files          {', '.join(str(out.parent / name) for name in told['files'])}\n"
        f"read it back: python -m scripts.receive {out} run={given.run}"
    )


def content_of(message: str) -> bytes:
    """A file's bytes, where there is a file of this name; else the words."""
    try:
        if Path(message).is_file():
            return Path(message).read_bytes()
    except OSError:  # a long text is no file's name
        pass
    return message.encode()


if __name__ == "__main__":
    run_command(main)
