"""SB3's files of models (.zip), read without running anything that stands in them.

SB3 keeps weights as tensors, numbers as JSON and everything else as pickles. Here an entry is only
unpickled when it is asked for, and then nothing comes of it but plain values, arrays, spaces and
the names of networks' classes.
"""

from __future__ import annotations

import base64
import io
import json
import pickle
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from foundation.plain_state import Untrusted

DATA, VARIABLES = "data", "pytorch_variables"
_PICKLED = ":serialized:"
_CLASSES_OF = ("stable_baselines3.", "sb3_contrib.", "agents.", "torch.nn.modules.", "torch.optim.")
"""Packages whose networks and optimisers a file may name: they are installed, not the file's."""
_VALUES = {
    *((f"gymnasium.spaces.{name.lower()}", name) for name in ("Box", "Discrete", "Dict", "Tuple", "Text")),
    ("gymnasium.spaces.multi_discrete", "MultiDiscrete"),
    ("gymnasium.spaces.multi_binary", "MultiBinary"),
    *((f"numpy.{core}.multiarray", name) for core in ("_core", "core") for name in ("_reconstruct", "scalar")),
    *((f"numpy.{core}.numeric", "_frombuffer") for core in ("_core", "core")),
    *(("numpy", name) for name in ("ndarray", "dtype")),
    *(("numpy", kind.__name__) for kind in np.sctypeDict.values() if kind is not np.object_),
    *(("numpy.random._pickle", f"__{name}_ctor") for name in ("generator", "bit_generator", "randomstate")),
    *((f"numpy.random._{name.lower()}", name) for name in ("PCG64", "MT19937", "Philox", "SFC64")),
    ("numpy.random.bit_generator", "SeedSequence"),
    ("numpy.random.bit_generator", "__pyx_unpickle_SeedSequence"),
    ("collections", "OrderedDict"),
    ("collections", "deque"),
    ("builtins", "frozenset"),
}
"""What may be made of a pickle: constructors that do nothing else."""


class SavedModel:
    """What a file of SB3's holds.

    Attributes:
        parameters: name of a network or optimiser -> its state dict.
        variables: name -> tensor.
        names: of the model's other attributes; see `object`.

    Args:
        path: of the file.
        device: where tensors go.

    Raises:
        ValueError: it is no such file, or is damaged.
        FileNotFoundError: there is none.
    """

    def __init__(self, path: str | Path, device: str | torch.device = "cpu") -> None:
        self.path = Path(path) if Path(path).suffix else Path(f"{path}.zip")  # as SB3 names it
        self.parameters: dict[str, Any] = {}
        self.variables: dict[str, Any] = {}
        try:
            with zipfile.ZipFile(self.path) as archive:
                self._data: Mapping[str, Any] = json.loads(archive.read(DATA))
                for name in archive.namelist():
                    if name.endswith(".pth"):
                        content = io.BytesIO(archive.read(name))
                        self.parameters[name.removesuffix(".pth")] = torch.load(
                            content, map_location=device, weights_only=True
                        )
        except FileNotFoundError:
            raise
        except pickle.UnpicklingError as error:
            raise Untrusted(
                f"{self.path} holds more than weights, and is no file that SB3 wrote: its weights would have to be run "
                f"to be read ({str(error).strip().splitlines()[-1][:200]})"
            ) from error
        except Exception as error:
            raise ValueError(f"{self.path} is no file of a model, or it is damaged ({error})") from error
        if not isinstance(self._data, dict):
            raise ValueError(f"{self.path} is no file of a model: its {DATA} names no attributes")
        self.variables = self.parameters.pop(VARIABLES, None) or {}
        self.names = tuple(self._data)

    def object(self, name: str, *, trust: bool = False) -> Any:
        """An attribute of the model.

        Args:
            name: of `names`.
            trust: unpickle it whatever it is, which runs whatever the file says.

        Raises:
            Untrusted: it is something else than values, arrays, spaces, and classes of networks
                that are installed, and is not trusted.
            ValueError: it is damaged.
            KeyError: there is none.
        """
        entry = self._data[name]
        if not isinstance(entry, dict) or _PICKLED not in entry:
            return entry
        try:
            content = base64.b64decode(entry[_PICKLED])
        except (ValueError, TypeError) as error:
            raise ValueError(f"{self.path} is damaged: its {name} cannot be read ({error})") from error
        try:
            return _classes(_Reader(io.BytesIO(content)).load())
        except Exception as error:
            if trust:
                return pickle.loads(content)
            raise Untrusted(
                f"{self.path}: its {name} is a pickle ({error}), and reading it would run whatever it says. If you "
                "trust whoever made it, say trust=true; see docs/trust.md."
            ) from error


class _Named:
    """A class that a pickle names: it cannot be called, so nothing is made of it while reading."""

    def __init__(self, cls: type) -> None:
        self.cls = cls


class _Reader(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) in _VALUES:
            return super().find_class(module, name)
        if f"{module}.".startswith(_CLASSES_OF):
            found = super().find_class(module, name)
            if isinstance(found, type) and issubclass(found, torch.nn.Module | torch.optim.Optimizer):
                return _Named(found)
        raise pickle.UnpicklingError(f"it names {module}.{name}")


def _classes(value: Any) -> Any:
    """The classes themselves again."""
    if isinstance(value, _Named):
        return value.cls
    if isinstance(value, dict):
        return type(value)((key, _classes(entry)) for key, entry in value.items())
    return type(value)(map(_classes, value)) if type(value) in (list, tuple) else value
