"""The program in a sandbox that calls functions of a tree and says what came back.

The host hands this text to `python3 -P -s -c`, with a last line that starts it, and the calls on
stdin; no expected value ever comes here. The first process touches no code of the
tree: it forks one child a module, which imports it and forks one more for every call. A child has
no way to the first one's output: its own stdout leads nowhere, its only pipe takes replies, and
the first process cannot be traced (PR_SET_DUMPABLE). Whatever a child says, it can only be wrong
about its own calls.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import json
import os
import resource
import select
import signal
import sys
import time
from typing import Any

LONGEST_REPLY = 1 << 16
"""Bytes of one value's description."""
STATES = ("imported", "import error", "value", "raises", "not plain", "done")
PLAIN = (list, tuple, set, frozenset)


MOST_TIMEOUTS = 2  # calls that do not end; then the rest counts as such, and is not made
LATE = {"state": "timeout"}


class Runner:
    """Makes the calls {"id", "nonce", "module", "function", "arguments"}, and prints one JSON.

    Args:
        root: the folder of the tree.
        calls: in the order in which they are to be made.
        seconds: of processor time for one call or import; ten times as many on the clock.
        total: seconds on the clock for all.
    """

    def __init__(self, root: str, calls: list[dict[str, Any]], seconds: int, total: float) -> None:
        self.root, self.calls, self.seconds = root, calls, seconds
        self.deadline = time.monotonic() + total
        self.replies: dict[str, dict[str, Any]] = {}
        ctypes.CDLL(None).prctl(4, 0, 0, 0, 0)

    def run(self) -> None:
        for module in dict.fromkeys(call["module"] for call in self.calls):
            waiting = [call for call in self.calls if call["module"] == module]
            while waiting:
                waiting = self.note(waiting, LATE) if self.hangs() else self.run_some(module, waiting)
        answer = [{"id": call["id"], "nonce": call["nonce"], **self.replies[call["id"]]} for call in self.calls]
        sys.stdout.write(json.dumps(answer))
        sys.stdout.flush()

    def run_some(self, module: str, waiting: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """One child's calls; what is left for another child after a call that ended this one."""
        if time.monotonic() > self.deadline:
            return self.note(waiting, LATE)
        child = Child(self.root, module, waiting, self.seconds)
        try:
            started = child.line(self.next_deadline())
            if started != {"state": "imported"}:
                return self.note(waiting, started)
            for index, call in enumerate(waiting):
                self.note([call], child.reply(index, self.next_deadline()))
                if child.silent or self.hangs():
                    return waiting[index + 1 :]
            return []
        finally:
            child.close()

    def hangs(self) -> bool:
        return sum(reply["state"] == "timeout" for reply in self.replies.values()) >= MOST_TIMEOUTS

    def next_deadline(self) -> float:
        return min(self.deadline, time.monotonic() + 10 * self.seconds)

    def note(self, calls: list[dict[str, Any]], reply: dict[str, Any]) -> list[dict[str, Any]]:
        self.replies.update({call["id"]: reply for call in calls})
        return []


class Child:
    """A forked process with a module of the tree, and the pipe with its replies, one a line."""

    def __init__(self, root: str, module: str, calls: list[dict[str, Any]], seconds: int) -> None:
        self.pipe, writing = os.pipe()
        self.rest = b""
        self.silent = False
        """It said nothing in time, or is gone."""
        self.pid = os.fork()
        if self.pid == 0:
            try:
                alone(writing)
                serve(root, module, calls, seconds)
            finally:
                os._exit(1)
        os.close(writing)

    def line(self, deadline: float) -> dict[str, Any]:
        """The next reply; {"state": "timeout"} or {"state": "no report"} where there is none."""
        while b"\n" not in self.rest:
            left = deadline - time.monotonic()
            if len(self.rest) > 2 * LONGEST_REPLY:
                return self.gone("no report")
            if not select.select([self.pipe], [], [], max(0, left))[0]:
                return self.gone("timeout")
            piece = os.read(self.pipe, LONGEST_REPLY)
            if not piece:
                return self.gone("no report")
            self.rest += piece
        text, _, self.rest = self.rest.partition(b"\n")
        return understood(text)

    def reply(self, index: int, deadline: float) -> dict[str, Any]:
        """What a call came to, known to be over when the process that waits for it says so."""
        said: dict[str, Any] = {"state": "no report"}
        while True:
            line = self.line(deadline)
            if self.silent:
                return line
            if line.get("call") != index:
                continue
            if line["state"] != "done":
                said = line
            elif said["state"] == "no report" and line.get("text"):
                return {"state": line["text"]}
            else:
                return said

    def gone(self, state: str) -> dict[str, Any]:
        self.silent = True
        return {"state": state}

    def close(self) -> None:
        os.close(self.pipe)
        with contextlib.suppress(OSError):
            os.killpg(self.pid, signal.SIGKILL)
        with contextlib.suppress(OSError):
            os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)


def understood(text: bytes) -> dict[str, Any]:
    try:
        reply = json.loads(text)
    except (ValueError, RecursionError):
        reply = None
    if isinstance(reply, dict) and reply.get("state") in STATES:
        return {name: reply[name] for name in ("state", "call", "value", "type", "text") if name in reply}
    return {"state": "no report"}


def alone(pipe: int) -> None:
    """In the child: only descriptor 3 leads anywhere."""
    os.setsid()
    os.dup2(pipe, 3)
    nowhere = os.open("/dev/null", os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nowhere, descriptor)
    os.closerange(4, 1 << 16)


def serve(root: str, module: str, calls: list[dict[str, Any]], seconds: int) -> None:
    """Imports the module and makes its calls, each in a process of its own from the same state."""
    limit(seconds, final=False)
    sys.path.insert(0, root)
    for name in names(root) & set(sys.modules) - set(sys.builtin_module_names):
        del sys.modules[name]  # a module of the tree, which only looks like the one that this text uses
    importlib.invalidate_caches()
    try:
        loaded = importlib.import_module(module)
    except BaseException as error:
        report({"state": "import error", "type": type(error).__name__, "text": shortened(error)})
        return
    report({"state": "imported"})
    resource.setrlimit(resource.RLIMIT_CPU, (resource.RLIM_INFINITY, resource.getrlimit(resource.RLIMIT_CPU)[1]))
    for index, call in enumerate(calls):
        pid = os.fork()
        if pid == 0:
            try:
                limit(seconds, final=True)
                report({**outcome(loaded, call), "call": index})
            finally:
                os._exit(0)
        _, status, used = os.wait4(pid, 0)
        report({"state": "done", "call": index, "text": manner(status, used.ru_utime + used.ru_stime > seconds - 0.5)})


def manner(status: int, spent: bool) -> str:
    """How a call ended that said nothing: "" where it chose to say nothing."""
    if not os.WIFSIGNALED(status):
        return ""
    return "timeout" if spent else "killed"


def outcome(module: Any, call: dict[str, Any]) -> dict[str, Any]:
    try:
        arguments = list(built(call["arguments"]))
        function: Any = module
        owner, _, method = call["function"].rpartition(".")
        if owner:
            function = getattr(getattr(module, owner)(*arguments.pop(0)), method)
        else:
            function = getattr(module, method)
        result = function(*arguments)
    except BaseException as error:
        return {"state": "raises", "type": type(error).__name__, "text": shortened(error)}
    try:
        return {"state": "value", "value": described(result, 50), "text": shortened(result)}
    except (ValueError, RecursionError):
        return {"state": "not plain", "type": type(result).__name__}


def report(reply: dict[str, Any]) -> None:
    """Written at once or not at all, as far as a pipe does that."""
    text = json.dumps(reply)
    if len(text) > LONGEST_REPLY:
        text = json.dumps({"state": "not plain", "type": "too long"})
    os.write(3, text.encode() + b"\n")


def shortened(value: object) -> str:
    try:
        return (str(value) if isinstance(value, BaseException) else repr(value))[:500]
    except BaseException:
        return ""


def described(value: Any, depth: int) -> list[Any]:
    """`envs.swe.grading.descriptions.describe`, whose order the host restores."""
    kind = type(value)
    if depth == 0:
        raise ValueError("too deep")
    if kind is str:
        return ["str", value]
    if kind is bytes:
        return ["bytes", value.hex()]
    if kind in (int, bool, float, type(None), complex):
        return [kind.__name__, repr(value)]
    if kind in PLAIN:
        return [kind.__name__, [described(item, depth - 1) for item in value]]
    if kind is dict:
        pairs = [[described(key, depth - 1), described(item, depth - 1)] for key, item in value.items()]
        return ["dict", pairs]
    raise ValueError("not plain")


def built(description: Any) -> Any:
    """The value of a description that the host sent."""
    kind, content = description
    if kind == "dict":
        return {built(key): built(item) for key, item in content}
    if kind in ("list", "tuple", "set", "frozenset"):
        return {"list": list, "tuple": tuple, "set": set, "frozenset": frozenset}[kind](map(built, content))
    if kind == "str":
        return content
    if kind == "bytes":
        return bytes.fromhex(content)
    return {"int": int, "float": float, "complex": complex}.get(kind, {"True": True, "False": False}.get)(content)


def names(root: str) -> set[str]:
    """Top-level modules and packages of the tree."""
    return {entry.removesuffix(".py") for entry in os.listdir(root)}


def limit(seconds: int, final: bool) -> None:
    """Of processor time from now on: a busy machine takes no call's time away."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    most = int(used.ru_utime + used.ru_stime + 0.5) + seconds
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    resource.setrlimit(resource.RLIMIT_CPU, (most, most if final else hard))
