"""Classes are found by name, with the configuration that their constructors imply."""

from __future__ import annotations

from dataclasses import fields
from typing import Literal

import pytest

from foundation.registry import Registry


class Animal:
    registered_name = ""


def registry() -> Registry[Animal]:
    return Registry("animal", "foundation")


def test_a_class_is_made_by_its_name_and_a_slip_is_answered_with_the_nearest() -> None:
    animals = registry()

    @animals.register("cat")
    class Cat(Animal):
        def __init__(self, lives: int = 9, fur: Literal["short", "long"] = "short") -> None:
            self.lives, self.fur = lives, fur

    made = animals.make("cat", lives=3)
    assert isinstance(made, Cat)
    assert (made.lives, made.fur, made.registered_name) == (3, "short", "cat")
    with pytest.raises(ValueError, match=r"there is no animal 'cta'\. Did you mean cat"):
        animals.make("cta")
    with pytest.raises(ValueError, match="Did you mean lives"):
        animals.make("cat", livse=3)
    with pytest.raises(ValueError, match="letters, digits"):
        animals.register("a cat")
    assert [entry.name for entry in fields(animals.schema("cat"))] == ["lives", "fur"]


def test_from_config_is_the_configuration_where_a_class_is_made_of_parts() -> None:
    animals = registry()

    @animals.register("dog")
    class Dog(Animal):
        def __init__(self, voice: object) -> None:
            self.voice = voice

        @classmethod
        def from_config(cls, loud: bool = False) -> Animal:
            return cls("WOOF" if loud else "woof")

    assert vars(animals.make("dog", loud=True)) == {"voice": "WOOF"}
    assert [entry.name for entry in fields(animals.schema("dog"))] == ["loud"]
    with pytest.raises(ValueError, match="'voice'"):
        animals.make("dog", voice="miaow")


def test_two_classes_cannot_have_one_name() -> None:
    animals = registry()
    animals.register("cat")(type("One", (Animal,), {}))
    with pytest.raises(ValueError, match="already"):
        animals.register("cat")(type("Other", (Animal,), {}))
