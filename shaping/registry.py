"""Names for classes, and the typed configuration that each class's constructor implies."""

from __future__ import annotations

import collections.abc
import difflib
import enum
import functools
import importlib
import inspect
import operator
import pkgutil
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import MISSING, field, make_dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from shaping.combine import Combiner
    from shaping.episodes import EpisodeTransform
    from shaping.terms import RewardTerm
    from shaping.transforms import Transform

T = TypeVar("T")


class Registry(Generic[T]):
    """Classes of one kind by name. Every module of the package `shaping` is imported before the first look-up."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._classes: dict[str, type[T]] = {}
        self._schemas: dict[str, type] = {}

    def register(self, name: str) -> Callable[[type[T]], type[T]]:
        """Class decorator. Raises ValueError if another class has the name, or it is no identifier."""
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
        discover()
        return tuple(sorted(self._classes))

    def get(self, name: str) -> type[T]:
        """The class. Raises ValueError with the nearest names."""
        discover()
        if name not in self._classes:
            near = difflib.get_close_matches(name, self._classes, n=3, cutoff=0.4)
            hint = f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(sorted(self._classes))}"
            raise ValueError(f"unknown {self.kind} {name!r}; {hint}")
        return self._classes[name]

    def make(self, name: str, **arguments: Any) -> T:
        """An instance. Raises ValueError with the nearest names for an unknown name or argument."""
        cls = self.get(name)
        known = [parameter.name for parameter in _parameters(cls)]
        for argument in arguments:
            if argument not in known:
                near = difflib.get_close_matches(argument, known, n=3, cutoff=0.4)
                hint = f"did you mean {' or '.join(near)}?" if near else f"it has {', '.join(known) or 'none'}"
                raise ValueError(f"{self.kind} {name!r} has no argument {argument!r}; {hint}")
        missing = [p.name for p in _parameters(cls) if p.default is p.empty and p.name not in arguments]
        if missing:
            raise ValueError(f"{self.kind} {name!r} needs a value for {', '.join(missing)}")
        return cls(**{key: _from_config(value) for key, value in arguments.items()})

    def schema(self, name: str) -> type:
        """The constructor's arguments as a dataclass type that OmegaConf takes as a structured config.

        An argument without a default is mandatory there too. Alternatives that a file cannot express (a function, say)
        are dropped; a ``Literal`` becomes an enumeration of its words. Raises TypeError for an argument without a type.
        """
        if name not in self._schemas:
            cls = self.get(name)
            self._schemas[name] = _schema(cls, name)
        return self._schemas[name]


reward_terms: Registry[RewardTerm] = Registry("reward term")
transforms: Registry[Transform] = Registry("transform")
combiners: Registry[Combiner] = Registry("combiner")
episode_transforms: Registry[EpisodeTransform] = Registry("episode transform")


def register_term(name: str) -> Callable[[type[Any]], type[Any]]:
    """``@register_term("name")`` over a `RewardTerm` subclass: the one line that makes ``shaping=name`` exist."""
    return reward_terms.register(name)


def term_names() -> tuple[str, ...]:
    """Names of all reward terms."""
    return reward_terms.names()


def make_term(name: str, **arguments: Any) -> RewardTerm:
    """The reward term of that name, built with these constructor arguments."""
    return reward_terms.make(name, **arguments)


def term_schema(name: str) -> type:
    """The reward term's arguments as a dataclass type; see `Registry.schema`."""
    return reward_terms.schema(name)


@functools.cache
def discover() -> None:
    """Import every module of the package, so that a file dropped into shaping/ is registered."""
    import shaping

    for module in pkgutil.walk_packages(shaping.__path__, "shaping."):
        try:
            importlib.import_module(module.name)
        except Exception as error:
            error.add_note(f"while looking for reward terms in {module.name} (every module of shaping is imported)")
            raise


def _parameters(cls: type) -> list[inspect.Parameter]:
    kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return [p for p in inspect.signature(cls).parameters.values() if p.kind in kinds]


def _schema(cls: type, name: str) -> type:
    hints = typing.get_type_hints(inspect.getattr_static(cls, "__init__"))
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
        fields.append((parameter.name, kind, _default(parameter.default, kind)))
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
        found = [kind for one in arguments if one is not type(None) and (kind := _configurable(one, name)) is not None]
        if not found:
            return None
        union: Any = functools.reduce(operator.or_, found)
        return union | None if type(None) in arguments else union
    elements = [_configurable(one, name) for one in arguments if one is not ...]
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


def _from_config(value: Any) -> Any:
    return value.value if isinstance(value, enum.Enum) and isinstance(value.value, str) else value


__all__ = [
    "Registry",
    "combiners",
    "discover",
    "episode_transforms",
    "make_term",
    "register_term",
    "reward_terms",
    "term_names",
    "term_schema",
    "transforms",
]
