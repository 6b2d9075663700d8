"""`key=value` command lines without Hydra: names and types come from a dataclass.

@dataclass(frozen=True)
class Arguments:
    episodes: int = 100
    gif: bool = True

paths, arguments = parse(["runs/a", "episodes=20"], Arguments, __doc__)
# ["runs/a"], Arguments(episodes=20)
"""

import difflib
import sys
import types
import typing
from collections.abc import Sequence
from dataclasses import fields, is_dataclass
from typing import Any, TypeVar

T = TypeVar("T")

BOOLEANS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


def parse(arguments: Sequence[str], options: type[T], usage: str | None, given: T | None = None) -> tuple[list[str], T]:
    """Split a command line into positional arguments and an `options` instance.

    An argument counts as an option when the text before its first `=` is a plain word, so
    `runs/lr=0.1` is a path. `--help` prints `usage` and exits. A field that is a dataclass itself
    is a group: `group.name=value`. `given` holds the values of what is not said; without it, the
    defaults do.

    Raises:
        ValueError: an unknown name (with the nearest right one) or a value of the wrong type.
    """
    if any(argument in ("-h", "--help") for argument in arguments):
        print((usage or "").strip())
        raise SystemExit(0)
    kinds = typing.get_type_hints(options)
    names = [field.name for field in fields(options)]  # type: ignore[arg-type]
    positional: list[str] = []
    values: dict[str, Any] = {} if given is None else {name: getattr(given, name) for name in names}
    for argument in arguments:
        name, equals, text = argument.partition("=")
        name = name.lstrip("-")
        group, dot, entry = name.partition(".")
        if equals and dot and is_dataclass(kinds.get(group)):  # a group of options: llm.model_path=FILE
            kind = kinds[group]
            _, values[group] = parse([f"{entry}={text}"], kind, usage, values.get(group) or kind())
            continue
        if not equals or not name.isidentifier():
            if argument.startswith("-"):
                raise ValueError(f"unknown option {argument!r}: options are written name=value, with {_list(names)}")
            positional.append(argument)
            continue
        if name not in kinds:
            near = difflib.get_close_matches(name, names, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise ValueError(f"unknown option {name!r}{hint} (options are {_list(names)})")
        values[name] = _convert(name, text, kinds[name])
    return positional, options(**values)


def run(main: typing.Callable[[Sequence[str]], int | None]) -> None:
    """Run `main` on the command line; a ValueError or a missing file is one line and exit 2."""
    try:
        raise SystemExit(main(sys.argv[1:]) or 0)
    except (ValueError, FileNotFoundError, NotADirectoryError, PermissionError) as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(2) from error
    except KeyboardInterrupt as error:
        raise SystemExit(130) from error


def _list(names: Sequence[str]) -> str:
    return ", ".join(names)


def _convert(name: str, text: str, kind: Any) -> Any:
    if isinstance(kind, types.UnionType):
        if text.lower() in ("none", "null", ""):
            return None
        kind = next(choice for choice in kind.__args__ if choice is not type(None))
    if typing.get_origin(kind) is tuple:
        item = typing.get_args(kind)[0]
        return tuple(_convert(name, part.strip(), item) for part in text.strip("[]()").split(",") if part.strip())
    if kind is bool:
        if text.lower() not in BOOLEANS:
            raise ValueError(f"{name}={text!r} is not a yes or no; write {name}=true or {name}=false")
        return BOOLEANS[text.lower()]
    try:
        return kind(text)
    except ValueError:
        raise ValueError(f"{name}={text!r} is not {'an integer' if kind is int else f'a {kind.__name__}'}") from None
