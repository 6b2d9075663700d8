"""Classes by name, found by walking a package, each with the configuration of its constructor."""

from __future__ import annotations

import collections.abc
import enum
import functools
import importlib
import inspect
import operator
import pkgutil
import types
import typing
from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, field, make_dataclass
from types import ModuleType
from typing import Any, Generic, TypeVar

from foundation.naming import nearest, unknown

T = TypeVar("T")


class Registry(Generic[T]):
    """Classes of one kind by name; all in its package are found before the first look-up.

    A class's configuration is its constructor's arguments, or those of its classmethod
    ``from_config`` if it has one.

    Args:
        kind: what the classes are, for messages.
        package: whose modules are walked.
    """

    def __init__(self, kind: str, package: str) -> None:
        self.kind = kind
        self.package = package
        self._classes: dict[str, type[T]] = {}
        self._schemas: dict[str, type] = {}

    def register(self, name: str) -> Callable[[type[T]], type[T]]:
        """Class decorator.

        Raises ValueError if another class has the name, or it is no identifier.
        """
        if not name.isidentifier():
            raise ValueError(f"a {self.kind} needs a name of letters, digits and underscores, not {name!r}")

        def add(cls: type[T]) -> type[T]:
            other = self._classes.get(name)
            if other is not None and (other.__module__, other.__qualname__) != (cls.__module__, cls.__qualname__):
                raise ValueError(
                    f"{self.kind} {name!r} is already {other.__module__}.{other.__qualname__}; "
                    f"register {cls.__qualname__} under another name"
                )
            self._classes[name] = cls
            self._schemas.pop(name, None)
            cls.registered_name = name  # type: ignore[attr-defined]
            if "name" not in vars(cls):
                cls.name = name  # type: ignore[attr-defined]
            return cls

        return add

    def names(self) -> tuple[str, ...]:
        """All names, sorted."""
        import_all(self.package)
        return tuple(sorted(self._classes))

    def get(self, name: str) -> type[T]:
        """The class. Raises ValueError with the nearest names."""
        import_all(self.package)
        if name not in self._classes:
            raise unknown(self.kind, name, sorted(self._classes))
        return self._classes[name]

    def make(self, name: str, **arguments: Any) -> T:
        """An instance. Raises ValueError with the nearest names for an unknown name or argument."""
        cls, known = self.get(name), self.arguments(name)
        for argument in arguments:
            if argument not in known:
                hint = nearest(argument, known) or f" It has {', '.join(known) or 'none'}."
                raise ValueError(f"{self.kind} {name!r} has no argument {argument!r}.{hint}")
        missing = [p.name for p in _parameters(cls) if p.default is p.empty and p.name not in arguments]
        if missing:
            raise ValueError(f"{self.kind} {name!r} needs a value for {', '.join(missing)}")
        made: T = _maker(cls)(**{key: _plain(value) for key, value in arguments.items()})
        return made

    def arguments(self, name: str) -> tuple[str, ...]:
        """The names of the arguments of a class's configuration."""
        return tuple(parameter.name for parameter in _parameters(self.get(name)))

    def schema(self, name: str) -> type:
        """The constructor's arguments as a dataclass type, for OmegaConf as a structured config.

        An argument without a default is mandatory there too. Alternatives that a file cannot
        express (a function, say) are dropped; a ``Literal`` becomes an enumeration of its words.
        Raises TypeError for an argument without a type.
        """
        if name not in self._schemas:
            self._schemas[name] = _schema(self.get(name), name)
        return self._schemas[name]


@functools.cache
def import_all(package: str) -> tuple[ModuleType, ...]:
    """Import and return what lies directly in a package, so that one dropped there is found.

    A folder's own ``__init__`` imports what of it is to be found. What a module raises is raised
    with a note that names the module.
    """
    return tuple(_imported(package))


def _imported(package: str) -> Iterator[ModuleType]:
    for module in pkgutil.iter_modules(importlib.import_module(package).__path__, f"{package}."):
        try:
            yield importlib.import_module(module.name)
        except Exception as error:
            error.add_note(f"while importing {module.name} (what lies in {package} is)")
            raise


def _maker(cls: Any) -> Callable[..., Any]:
    """What makes an instance of a configuration: `from_config` if there is one, else the class."""
    maker: Callable[..., Any] = getattr(cls, "from_config", cls)
    return maker


def _parameters(cls: type) -> list[inspect.Parameter]:
    kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return [p for p in inspect.signature(_maker(cls)).parameters.values() if p.kind in kinds]


def _schema(cls: Any, name: str) -> type:
    hints = typing.get_type_hints(cls.from_config if hasattr(cls, "from_config") else cls.__init__)
    fields: list[tuple[str, Any, Any]] = []
    for parameter in _parameters(cls):
        where = f"argument {parameter.name!r} of {cls.__qualname__}"
        if parameter.name not in hints:
            raise TypeError(f"{where} has no type; give it one, it becomes the configuration's")
        kind = _configurable(hints[parameter.name], f"{name}_{parameter.name}")
        if kind is None:
            if parameter.default is parameter.empty:
                raise TypeError(f"{where} has type {hints[parameter.name]}, which a configuration cannot express")
            continue
        default = parameter.default
        if default is None and dict in (typing.get_origin(option) for option in typing.get_args(kind)):
            kind, default = next(option for option in typing.get_args(kind) if typing.get_origin(option) is dict), {}
        fields.append((parameter.name, kind, _default(default, kind)))
    # keyword-only, so that mandatory arguments may follow optional ones
    schema = make_dataclass(f"{cls.__name__}Config", fields, kw_only=True)
    schema.__module__ = cls.__module__
    schema.__doc__ = (cls.__doc__ or "").strip().split("\n")[0]
    return schema


def _configurable(hint: Any, name: str) -> Any:
    """The part of a type that OmegaConf can hold, or None."""
    if hint in (int, float, bool, str) or (isinstance(hint, type) and issubclass(hint, enum.Enum)):
        return hint
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Literal:
        return enum.Enum(name, {word: word for word in arguments})
    if origin in (typing.Union, types.UnionType):
        kinds = [_configurable(entry, name) for entry in arguments if entry is not type(None)]
        kinds = [kind for kind in kinds if kind is not None]
        if not kinds:
            return None
        union: Any = functools.reduce(operator.or_, kinds)
        return union | None if type(None) in arguments else union
    elements = [_configurable(entry, name) for entry in arguments if entry is not ...]
    if not elements or None in elements:
        return None
    if origin in (list, collections.abc.Sequence, collections.abc.Iterable) or (origin is tuple and ... in arguments):
        return types.GenericAlias(list, (elements[0],))
    if origin in (dict, collections.abc.Mapping):
        return types.GenericAlias(dict, tuple(elements))
    return None


def _default(value: Any, kind: Any) -> Any:
    if value is inspect.Parameter.empty:
        return field(default=MISSING)
    if isinstance(kind, type) and issubclass(kind, enum.Enum) and not isinstance(value, enum.Enum):
        return kind(value)
    if isinstance(value, str | int | float | bool | enum.Enum) or value is None:
        return value
    if isinstance(value, Mapping):
        return field(default_factory=lambda: dict(value))
    return field(default_factory=lambda: list(value))


def _plain(value: Any) -> Any:
    return value.value if isinstance(value, enum.Enum) and isinstance(value.value, str) else value
