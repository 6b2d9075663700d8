"""Whether a sandbox shows the source that a task is about, beside the task's own tree."""

from __future__ import annotations

import json
from collections.abc import Iterable

from envs.swe.sandbox.sandbox import Sandbox

FIND = """
import importlib.util, json, sys
def there(name):
    try:
        return importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):
        return name in sys.modules
print(json.dumps([name for name in json.load(sys.stdin) if there(name)]))
"""
COMMON = {"tests", "test", "conftest", "setup", "docs", "examples"}


def refuse_installed(sandbox: Sandbox, paths: Iterable[str]) -> None:
    """Raises ValueError where the image can import one of a tree's packages by itself.

    A task made from such a package has its answer on the sandbox's disk.
    """
    names = {path.removeprefix("src/").partition("/")[0] for path in paths}
    modules = sorted({name.removesuffix(".py") for name in names} - COMMON)
    words = [name for name in modules if name.isidentifier()]
    execution = sandbox.execute(["python3", "-P", "-s", "-c", FIND], stdin=json.dumps(words).encode())
    if execution.returncode:
        raise ValueError(
            f"the sandbox cannot say what it can import: {execution.output[-500:].decode(errors='replace')}"
        )
    if installed := json.loads(execution.output):
        raise ValueError(
            f"the sandbox's image has {', '.join(installed)} installed, so that the unbroken source can be read: "
            "use an image without it, or make tasks of another package"
        )
