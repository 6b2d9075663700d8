"""Play software-engineering tasks in words, by a language model, a script or chance.

python -m scripts.play_swe [tasks=FILE] [count=5] [split=eval] [seed=0] [agent=llm|scripted|random]
    [sandbox=auto] [image=] [max_turns=20] [max_tokens=512] [prompt_characters=0] [candidates=6]
    [out=outputs/swe] [llm.base_url=URL] [llm.model=NAME] [llm.model_path=FILE.gguf] ...

Without tasks=, the default set is made once. agent=llm asks the embedded model unless llm.base_url
names another: the embedded one is small and mends nothing, it shows that everything runs.
agent=scripted is given `candidates` edits of every file, the right one among them. A prompt has at
most prompt_characters; 0 goes by the embedded model's context, or is 60,000.

Prints the transcript as it goes and then CR, MR and RR (submitted, submitted with a change,
resolved), and writes OUT/transcripts.jsonl (an episode a line: prompts, replies, observations,
channels), OUT/predictions.jsonl (SWE-bench's format) and OUT/report.json. Where the model fails,
what was played is kept, and the exit status is 1.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from envs.swe.grading.predictions import write_predictions
from envs.swe.text.env import SweTextEnv
from foundation.checks import one_of, whole
from foundation.files import folder_for, replace_json, replace_text
from scripts.configuration.arguments import parse
from scripts.configuration.arguments import run as run_command
from scripts.configuration.groups import LLMConfig
from scripts.swe.players import LanguageModelPlayer, Player, RandomPlayer, ScriptedPlayer
from scripts.swe.playing import Episode, described, play, report
from shaping.llm import LanguageModel

AGENTS = ("llm", "scripted", "random")
CHARACTERS_OF_A_TOKEN = 2.5
"""Of source, at the least."""
PROMPT_CHARACTERS = 60_000
FILES = ("transcripts.jsonl", "predictions.jsonl", "report.json")


def _llm() -> LLMConfig:
    return LLMConfig(timeout=600.0)  # an answer of many words takes the embedded model a while


@dataclass(frozen=True)
class Arguments:
    """The command line's arguments."""

    tasks: str | None = None
    count: int = 5
    split: str = "eval"
    seed: int = 0
    agent: str = "llm"
    sandbox: str = "auto"
    image: str = ""
    max_turns: int = 20
    max_tokens: int = 512
    prompt_characters: int = 0
    candidates: int = 6
    out: str = "outputs/swe"
    llm: LLMConfig = field(default_factory=_llm)


def main(command_line: Sequence[str]) -> int:
    """The command line."""
    words, arguments = parse(command_line, Arguments, __doc__, Arguments())
    if words:
        raise ValueError(f"unknown argument {words[0]!r}; options are written name=value")
    check(arguments)
    out = folder_for(arguments.out, FILES)
    env = SweTextEnv(
        arguments.tasks, arguments.split, arguments.max_turns, sandbox=arguments.sandbox, image=arguments.image
    )
    try:
        with player_of(arguments) as player:
            episodes = play_all(env, player, arguments, out)
    finally:
        env.close()
    return tell(episodes, out)


def check(arguments: Arguments) -> None:
    """Raises ValueError for what cannot work, before anything starts."""
    one_of("agent", arguments.agent, AGENTS)
    for name in ("count", "max_tokens", "candidates"):
        whole(name, getattr(arguments, name))
    whole("seed", arguments.seed, least=0)
    whole("prompt_characters", arguments.prompt_characters, least=0)


@contextmanager
def player_of(arguments: Arguments) -> Iterator[Player]:
    """The agent; its language model is closed with the block."""
    if arguments.agent == "scripted":
        yield ScriptedPlayer(arguments.candidates, arguments.max_turns, arguments.seed)
    elif arguments.agent == "random":
        yield RandomPlayer(arguments.seed)
    else:
        model = LanguageModel(**asdict(arguments.llm))
        try:
            yield LanguageModelPlayer(model, prompt_characters(arguments), arguments.max_tokens)
        finally:
            model.close()


def prompt_characters(arguments: Arguments) -> int:
    """How long a prompt may be. Raises ValueError where the context has no room for one."""
    if arguments.prompt_characters:
        return arguments.prompt_characters
    if arguments.llm.base_url is not None:
        return PROMPT_CHARACTERS
    tokens = arguments.llm.context - arguments.max_tokens
    if tokens < 1000:
        raise ValueError(
            f"llm.context={arguments.llm.context} leaves {tokens} tokens for a prompt beside "
            f"max_tokens={arguments.max_tokens}; give more llm.context or less max_tokens"
        )
    return int(CHARACTERS_OF_A_TOKEN * tokens)


def play_all(env: SweTextEnv, player: Player, arguments: Arguments, out: Path) -> list[Episode]:
    """Plays and keeps each episode when it ends, also one that its model did not end."""
    count = min(arguments.count, env.count)
    if count < arguments.count:
        print(f"split {arguments.split} has {env.count} tasks: each is played once", file=sys.stderr)
    episodes: list[Episode] = []
    for number in range(count):
        episodes.append(play(env, player, say, arguments.seed if number == 0 else None))
        say(f"=== {episodes[-1].outcome or episodes[-1].ended}\n")
        keep(episodes, out)
        if episodes[-1].ended not in ("outcome", "sandbox lost"):
            break
    return episodes


def keep(episodes: Sequence[Episode], out: Path) -> None:
    replace_text(out / FILES[0], "".join(f"{json.dumps(episode.row())}\n" for episode in episodes))
    write_predictions(out / FILES[1], [episode.prediction() for episode in episodes])
    replace_json(out / FILES[2], report(episodes))


def tell(episodes: Sequence[Episode], out: Path) -> int:
    """The report; 1 where the model failed."""
    print(described(report(episodes), episodes[-1].agent))
    print(f"written to {out}", file=sys.stderr)
    if episodes[-1].ended in ("outcome", "sandbox lost"):
        return 0
    print(
        f"error: the language model gave no answer, so {len(episodes)} episodes were begun and no more: "
        f"{episodes[-1].ended}",
        file=sys.stderr,
    )
    return 1


def say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    run_command(main)
