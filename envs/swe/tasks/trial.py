"""The process that tries trees of the corpus out: a request a line in, an answer a line out.

Started by `evaluation` with `python -I -S -B trial.py`, without our packages. What it runs is our
own corpus with our own bugs in it: limits keep loops and memory within bounds, names that reach the
machine are not there, and the reader compares results, not this process. It is no sandbox.
"""

from __future__ import annotations

import ast
import builtins
import json
import resource
import runpy
import signal
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

written: Callable[[object], str] = runpy.run_path(str(Path(__file__).with_name("plain_values.py")))["written"]
_LONGEST = 10_000  # letters of a result; a longer one is wrong anyway
_BUILTINS = {
    name: value
    for name, value in vars(builtins).items()
    if name not in ("open", "exec", "eval", "compile", "input", "breakpoint", "exit", "quit", "help")
}
_OPEN_FILES = 16


class TimeIsUp(BaseException):
    """A case has had its share of the processor."""


class Trial:
    """Modules of one tree, and calls of their functions.

    Args:
        codes: path -> compiled module.
    """

    def __init__(self, codes: dict[str, CodeType]) -> None:
        self.codes = codes
        self.modules: dict[str, ModuleType] = {}

    def load(self, name: str) -> ModuleType:
        """Run a module of the tree, once."""
        if name not in self.modules:
            if f"{name}.py" not in self.codes:
                raise ModuleNotFoundError(f"No module named {name!r}")
            module = self.modules[name] = ModuleType(name)
            module.__dict__["__builtins__"] = _BUILTINS | {"__import__": self._import}
            try:
                exec(self.codes[f"{name}.py"], module.__dict__)
            except BaseException:
                del self.modules[name]
                raise
        return self.modules[name]

    def call(self, module: str, function: str, arguments: tuple[Any, ...]) -> str:
        """The result in writing."""
        names = function.split(".")
        called = getattr(self.load(module), names[0])
        if len(names) == 2:
            called = getattr(called(*arguments[0]), names[1])
            arguments = arguments[1:]
        return written(called(*arguments))[:_LONGEST]

    def _import(self, name: str, *_: object) -> ModuleType:
        return self.load(name)


class Bench:
    """The files of a repository and its cases, against which trees are tried.

    Args:
        files: path -> text.
        cases: (module, function, arguments in writing) of each.
        seconds: of processor time a case.
    """

    def __init__(self, files: dict[str, str], cases: Sequence[Sequence[str]], seconds: float) -> None:
        self.codes = compiled(files)
        self.cases = [(m, f, compile(ast.parse(a, mode="eval"), "case", "eval")) for m, f, a in cases]
        self.seconds = seconds
        self.needs = {module: self._needed(module) for module, _, _ in cases}
        self.base = self._observe(self.codes, set(files), len(cases))

    def answer(self, files: dict[str, str], most: int) -> list[str | None]:
        """Results of the cases in turn, each "value", "raises X: why", "no module: why" or None.

        None is for time out; after `most` of them, what is left is not run. A case of a module that
        needs nothing of what has changed comes to what it always came to.
        """
        return self._observe(self.codes | compiled(files), set(files), most)

    def _observe(self, codes: dict[str, CodeType], changed: set[str], most: int) -> list[str | None]:
        trial = Trial(codes)
        observed: list[str | None] = []
        for index, (module, function, arguments) in enumerate(self.cases):
            if not changed & self.needs[module]:
                observed.append(self.base[index])
                continue
            observed.append(_limited(trial, module, function, arguments, self.seconds))
            most -= observed[-1] is None
            if most <= 0:
                break
        return observed

    def _needed(self, module: str) -> set[str]:
        trial = Trial(self.codes)
        trial.load(module)
        return {f"{name}.py" for name in trial.modules}


def compiled(files: dict[str, str]) -> dict[str, CodeType]:
    """Path -> code."""
    return {path: compile(text, path, "exec") for path, text in files.items()}


def _result(trial: Trial, module: str, function: str, arguments: CodeType) -> str:
    try:
        trial.load(module)
    except Exception as error:
        return f"no module: {_named(error)}"
    try:
        return trial.call(module, function, eval(arguments, {"__builtins__": {"set": set}}))
    except (Exception, SystemExit, GeneratorExit, KeyboardInterrupt) as error:
        return f"raises {_named(error)}"


def _named(error: BaseException) -> str:
    try:
        text = str(error).splitlines()[:1]
    except Exception:  # an exception of a mutant's own, whose words may raise whatever they like
        text = []
    return f"{type(error).__name__}: {text[0][:200] if text else ''}".rstrip(": ")


def _limited(trial: Trial, module: str, function: str, arguments: CodeType, seconds: float) -> str | None:
    """None after so many seconds of processor time; the hour and other processes do not matter."""
    try:
        signal.setitimer(signal.ITIMER_PROF, seconds)
        try:
            return _result(trial, module, function, arguments)
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
    except TimeIsUp:
        return None


def _time_is_up(*_: object) -> None:
    raise TimeIsUp


def _limit(memory_mib: int) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (memory_mib << 20, memory_mib << 20))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (_OPEN_FILES, _OPEN_FILES))


def _limit_tree(seconds: int) -> None:
    """The kernel ends the process when one tree takes more, in C code where no signal is heard."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    limit = int(used.ru_utime + used.ru_stime) + seconds
    resource.setrlimit(resource.RLIMIT_CPU, (limit, resource.getrlimit(resource.RLIMIT_CPU)[1]))


def serve(requests: Iterable[str]) -> None:
    """The first request names limits, files and cases, the others what differs in a tree."""
    lines = iter(requests)
    setting = json.loads(next(lines))
    _limit(setting["memory_mib"])
    signal.signal(signal.SIGPROF, _time_is_up)
    bench = Bench(setting["files"], setting["cases"], setting["seconds"])
    for line in lines:
        request = json.loads(line)
        _limit_tree(setting["tree_seconds"])
        try:
            observed = bench.answer(request["files"], request["most_timeouts"])
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            observed = [f"no module: {_named(error)}"] * len(setting["cases"])
        sys.stdout.write(json.dumps(observed) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    serve(sys.stdin)
