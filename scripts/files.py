"""Files that appear whole or not at all."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any


def replace_text(path: Path, text: str) -> None:
    """Write `text` under another name and rename it to `path`: a reader sees the old file or the new one, never a half.

    Raises:
        OSError: it cannot be written; the old file, if any, is as it was.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        part.write_text(text)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def replace_json(path: Path, content: Any) -> None:
    """`replace_text` with `content` as JSON. Raises ValueError for NaN or infinity, which JSON does not know."""
    replace_text(path, json.dumps(content, indent=1, allow_nan=False) + "\n")
