"""Who plays the text face: a language model, a script over candidate edits, or chance."""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence

from envs.swe.rules import failing_words, target_files
from envs.swe.tasks.candidates import Candidate, candidates
from envs.swe.tasks.task import Cases, Task
from envs.swe.text.editing import END
from envs.swe.text.observation import clipped
from envs.swe.text.scripted import Script, Step, fenced
from envs.swe.text.workspace import WINDOW
from shaping.llm.client import LanguageModel, Message

VERSION = "swe text 1"
"""Of the prompts; raise it where their words change."""


class Player(ABC):
    """Answers observations with actions.

    Attributes:
        name: for reports and predictions.
        prompt: the messages that the last action answered to; empty for who reads none.
    """

    name: str
    prompt: Sequence[Message] = ()

    @abstractmethod
    def begin(self, task: Task) -> None:
        """An episode begins; only scripts look at the task."""

    @abstractmethod
    def act(self, observation: str) -> str:
        """The next action. A language model raises LanguageModelError."""


class LanguageModelPlayer(Player):
    """Shows a model the conversation so far, of which the first message always stays.

    Args:
        model: who is asked.
        characters: of a prompt; what is older goes first.
        max_tokens: of an answer.
    """

    def __init__(self, model: LanguageModel, characters: int, max_tokens: int) -> None:
        self._model = model
        self._characters = characters
        self._max_tokens = max_tokens
        self._messages: list[Message] = []

    @property
    def name(self) -> str:  # type: ignore[override]
        return self._model.identity or "language model"

    def begin(self, task: Task) -> None:
        self._messages = []

    def act(self, observation: str) -> str:
        most = self._characters // 2 if not self._messages else self._characters // 4
        self._messages.append({"role": "user", "content": clipped(observation, most)})
        self.prompt = recent(self._messages, self._characters)
        answer = self._model.reply(self.prompt, version=VERSION, max_tokens=self._max_tokens)
        self._messages.append({"role": "assistant", "content": clipped(answer, self._characters // 4)})
        return answer


def recent(messages: Sequence[Message], characters: int) -> list[Message]:
    """The first message and as many of the last ones as there is room for, in pairs of turns."""
    start = 1
    while start + 2 < len(messages) and sum(len(m["content"]) for m in [messages[0], *messages[start:]]) > characters:
        start += 2
    return [messages[0], *messages[start:]]


class ScriptedPlayer(Player):
    """list, search, then edits of the files that were hit, the nearest first, each tried and taken
    back, until all visible tests pass. It is given the candidates, the right one among them, so
    what it resolves says what the script can reach, not what a model could.

    Args:
        count: of candidates for a file.
        turns: of an episode; it submits on the last.
        seed: of the candidates.
    """

    name = "scripted"

    def __init__(self, count: int, turns: int, seed: int = 0) -> None:
        self._count, self._turns, self._seed = count, turns, seed

    def begin(self, task: Task) -> None:
        if not isinstance(task.checks, Cases) or not task.reference:
            raise ValueError(f"agent=scripted needs tasks of the corpus, with a reference; {task.id} has none")
        self._script, self._seen, self._taken = Script(task), "", 0
        self._steps = self._plan(task)

    def act(self, observation: str) -> str:
        self._seen = observation
        self._taken += 1
        step: Step = ("submit",) if self._taken == self._turns else next(self._steps)
        return self._script.action(step)

    def _plan(self, task: Task) -> Iterator[Step]:
        yield ("list",)
        yield ("search",)
        for path, found in self._offers(task):
            yield ("open", path)
            for candidate in found:
                yield ("apply", candidate)
                yield ("test",)
                if all_passed(self._seen):
                    yield ("submit",)
                yield ("undo",)
        yield ("submit",)

    def _offers(self, task: Task) -> list[tuple[str, list[Candidate]]]:
        """The files that the search hits and their edits; those with the nearest first."""
        paths = sorted(target_files(task) & {path for path in task.files if path.endswith(".py")})
        offers = [(path, list(candidates(task, path, self._count, self._seed))) for path in paths]
        for _, found in offers:
            found.sort(key=lambda candidate: candidate.distance)
        return sorted(offers, key=lambda offer: min((c.distance for c in offer[1]), default=0))


def all_passed(observation: str) -> bool:
    """Does `run_tests` say so?

    >>> all_passed("3 of 3 tests passed\\n"), all_passed("2 of 3 tests passed\\n")
    (True, False)
    """
    passed, _, rest = observation.partition(" of ")
    return passed.isdigit() and rest.partition(" ")[0] == passed


class RandomPlayer(Player):
    """Well-formed commands by chance: what no thought at all earns."""

    name = "random"

    def __init__(self, seed: int = 0) -> None:
        self._random = random.Random(seed)

    def begin(self, task: Task) -> None:
        self._paths, self._words = sorted(task.files), failing_words(task) or ("def",)

    def act(self, observation: str) -> str:
        draw = self._random
        path, line = draw.choice(self._paths), draw.randrange(1, WINDOW)
        commands = ["ls", "scroll_down", "undo", "run_tests", "submit", f"open {path}", f"goto {line}"]
        commands += [f"search_dir {draw.choice(self._words)}", f"edit {line}:{line}\n{END}"]
        return fenced(draw.choice(commands))
