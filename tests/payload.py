"""What an attacker would put into a file: something that acts when it is unpickled."""

from __future__ import annotations

import base64
import io
import json
import os
import zipfile
from pathlib import Path
from typing import Any

import cloudpickle
import torch


class Payload:
    """Makes a folder, the marker, when it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self.marker = str(marker)

    def __reduce__(self) -> Any:
        return os.makedirs, (self.marker, 0o777, True)


def pickled(value: Any) -> dict[str, str]:
    """An attribute as SB3 keeps it in a model's file."""
    return {":type:": "<class>", ":serialized:": base64.b64encode(cloudpickle.dumps(value)).decode()}


def with_attribute(file: Path, name: str, value: Any) -> None:
    """Change an attribute in a model's file."""
    _rewrite(file, "data", lambda data: json.dumps({**json.loads(data), name: value}).encode())


def with_weights(file: Path, value: Any) -> None:
    """Change the policy's weights in a model's file."""
    buffer = io.BytesIO()
    torch.save(value, buffer)
    _rewrite(file, "policy.pth", lambda _: buffer.getvalue())


def _rewrite(file: Path, member: str, change: Any) -> None:
    with zipfile.ZipFile(file) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    contents[member] = change(contents[member])
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in contents.items():
            archive.writestr(name, content)
