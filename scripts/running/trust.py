"""Whose run is it? What somebody else's configuration would run or reach is asked about first.

A configuration that names code, or whom to ask, is signed with a key of the user's own when it is
written. A run without that signature was made elsewhere. See docs/trust.md.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import re
import secrets
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import yaml

from foundation.files import replace_text
from foundation.plain_state import Untrusted
from scripts.configuration.groups import RunConfig
from shaping.terms import registry as terms

SIGNATURE = "signature"
_CODE = re.compile(r"[^\W\d][\w.\-]*:\w[\w.\-/]*")  # package.module:function, module:Namespace/Env-v0
_OBSERVATION = "observation:"
_WALKED = ("env.id", "env.kwargs", "env.potential", "shaping", "agent.policy_kwargs")
_ASKED = ("base_url", "model_path", "cache")
_WRITES_OR_COMPILES = {"record_to", "savedir", "des_file"}
"""Arguments of environments that say where files go, or are a program for NetHack's compiler."""
_CHANGE_ON_RESUME = ("total_timesteps", "run_dir", "resume", "trust")


def refuse_untrusted(path: Path, config: RunConfig, *, trust: bool = False) -> None:
    """Raises Untrusted for a run whose configuration or links reach beyond its folder.

    Configurations that were written by this user pass.

    Args:
        path: of the run.
        config: its configuration.
        trust: let everything pass.
    """
    if trust:
        return
    refuse_links(path)
    named = reaches(config)
    if named and not _made_here(path):
        entries = ", ".join(f"{entry}={value}" for entry, value in named.items())
        raise Untrusted(
            f"{path} was not made here, and its config.yaml names code to run, a place to write to, or a file or "
            f"server of a language model: {entries}. If you trust whoever made it, say trust=true; see docs/trust.md."
        )


def refuse_links(path: Path, *, trust: bool = False) -> None:
    """Raises Untrusted for a run folder in which a link leads out of it: we would write there."""
    if trust:
        return
    root = path.resolve()
    for place in _places(root):
        if place.is_symlink() and not place.resolve().is_relative_to(root):
            raise Untrusted(
                f"{path}: {place.relative_to(root)} leads out of the run's folder, to {os.readlink(place)}, and what "
                "we write there would go out. Remove it, or, if it is yours, say trust=true; see docs/trust.md."
            )


def _places(root: Path) -> Iterator[Path]:
    """What lies in a run's folder; of wandb's, which links its logs to its cache, what we write."""
    for folder, folders, files in os.walk(root):
        yield from (Path(folder, name) for name in (*folders, *files))
        if Path(folder) == root and "wandb" in folders:
            folders.remove("wandb")
            yield root / "wandb" / "id.txt"


def refuse_interpolations(container: Any, where: str = "config.yaml") -> None:
    """Raises ValueError where a file's values would be looked up: in the environment, say."""
    for entry, value in _leaves(container, ""):
        if isinstance(value, str) and "${" in value:
            raise ValueError(f"{entry}={value}: a run's {where} holds values, and nothing to be looked up")


def reaches(config: RunConfig) -> dict[str, str]:
    """Setting -> value, of those that are code, or say which files or servers a model is asked at.

    >>> config = RunConfig()
    >>> config.env.id = "mymodule:My/Env-v0"
    >>> reaches(config)
    {'env.id': 'mymodule:My/Env-v0'}
    """
    container = asdict(config)
    found = {entry: str(value) for entry, value in _leaves(container, "") if _is_code(entry, value)}
    known = terms.names()
    if any("language_model" in terms.arguments(name) for name in config.shaping.terms if name in known):
        found |= {f"llm.{name}": value for name in _ASKED if (value := getattr(config.llm, name)) is not None}
    return found


def sign(path: Path, config: RunConfig, text: str) -> None:
    """Say that a configuration was written here, if it names anything that needs it.

    Args:
        path: of the run.
        config: its configuration.
        text: of its config.yaml.
    """
    if not reaches(config):
        return
    key = _key(make=True)
    if key is None:
        warnings.warn(
            f"{_key_file()} cannot be kept to yourself, so this run will not be known as made here: later commands on "
            "it will want trust=true",
            stacklevel=2,
        )
        return
    replace_text(path / SIGNATURE, _signature(key, text) + "\n", durable=True)


def _is_code(entry: str, value: Any) -> bool:
    if not entry.startswith(_WALKED):
        return False
    parts = entry.split(".")
    if "trust" in parts or (entry.startswith("env.kwargs") and _WRITES_OR_COMPILES & set(parts)):
        return value is not None and value is not False
    if not isinstance(value, str) or value.startswith(_OBSERVATION):
        return False
    if entry.startswith(("env.id", "env.potential")) or "potential" in parts[3:]:  # of shaping.terms.NAME
        return ":" in value  # whatever it is called
    return _CODE.fullmatch(value) is not None


def _leaves(container: Any, where: str) -> Iterator[tuple[str, Any]]:
    """Every value in dictionaries and lists, with where it stands; empty ones are values."""
    if isinstance(container, Mapping) and container:
        for key, value in container.items():
            yield from _leaves(value, f"{where}.{key}" if where else str(key))
    elif isinstance(container, list | tuple) and container:
        for index, value in enumerate(container):
            yield from _leaves(value, f"{where}.{index}")
    else:
        yield where, container


# The key ------------------------------------------------------------------------------------------


def _made_here(path: Path) -> bool:
    key = _key(make=False)
    try:
        signature = (path / SIGNATURE).read_text().strip()
        text = (path / "config.yaml").read_text()
    except (OSError, UnicodeDecodeError):
        return False
    return key is not None and hmac.compare_digest(signature.encode(), _signature(key, text).encode())


def _signature(key: bytes, text: str) -> str:
    """Of what a configuration says, but for what a resume may change."""
    container = {name: value for name, value in yaml.safe_load(text).items() if name not in _CHANGE_ON_RESUME}
    entries = json.dumps(sorted((where, str(value)) for where, value in _leaves(container, "")))
    return hmac.new(key, entries.encode(), hashlib.sha256).hexdigest()


def _key_file() -> Path:
    home = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(home) / "breadcrumb" / "key"


def _key(*, make: bool) -> bytes | None:
    """The user's key, made on first use; None where there is none that only the user can read."""
    file = _key_file()
    try:
        if make and not file.exists():
            _make_key(file)
        described = file.stat()
        if described.st_uid != os.getuid() or described.st_mode & 0o077:
            return None
        return file.read_bytes().strip() or None
    except (OSError, RuntimeError):  # no home
        return None


def _make_key(file: Path) -> None:
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    part = file.with_name(f".key.{os.getpid()}")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w") as stream:
            stream.write(secrets.token_hex(32) + "\n")
        os.link(part, file)  # whole, and never over another's
    except FileExistsError:
        return  # another run was first
    finally:
        part.unlink()
