"""A pretended OpenAI-compatible endpoint on loopback, that misbehaves on demand."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Endpoint:
    """`behave` maps a request (path, body) to (status, body); it may be exchanged at any time."""

    def __init__(self) -> None:
        self.models = ["pretended"]
        self.headers: dict[str, str] = {}  # of every answer that is an error
        self.behave: Callable[[str, dict[str, Any]], tuple[int, Any]] = completions({" yes\n": -0.1, " no\n": -3.0})
        self.requests: list[dict[str, Any]] = []
        self.keys: list[str] = []
        self.at_once = self.most_at_once = 0
        self.lock = threading.Lock()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                data = [{"id": name, "object": "model", "created": 0} for name in outer.models]
                self.answer(200, {"object": "list", "data": data})

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                with outer.lock:
                    outer.requests.append(body)
                    outer.keys.append(self.headers.get("Authorization", ""))
                    outer.at_once += 1
                    outer.most_at_once = max(outer.most_at_once, outer.at_once)
                try:
                    status, answer = outer.behave(self.path, body)
                finally:
                    with outer.lock:
                        outer.at_once -= 1
                self.answer(status, answer)

            def answer(self, status: int, answer: Any) -> None:
                if isinstance(answer, Iterator):
                    return self.trickle(answer)
                data = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
                try:
                    self.send_response(status)
                    self.send_header("Content-Type", "application/json")
                    for name, value in outer.headers.items() if status != 200 else ():
                        self.send_header(name, value)
                    self.send_header("Content-Length", str(len(data)))
                    self.end_headers()
                    self.wfile.write(data)
                except OSError:
                    pass  # whoever asked has gone

            def trickle(self, pieces: Iterator[bytes]) -> None:
                self.close_connection = True
                try:
                    for piece in pieces:
                        self.wfile.write(piece)
                except OSError:
                    pass

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}/v1"


@contextmanager
def endpoint() -> Iterator[Endpoint]:
    """An endpoint that is up inside the block."""
    pretended = Endpoint()
    thread = threading.Thread(target=pretended.server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield pretended
    finally:
        pretended.server.shutdown()
        pretended.server.server_close()


def completions(tokens: dict[str, float], legacy: bool = False) -> Callable[[str, dict[str, Any]], tuple[int, Any]]:
    """Answers every completion with these next tokens, told as llama.cpp does or as OpenAI does."""

    def behave(path: str, body: dict[str, Any]) -> tuple[int, Any]:
        if legacy:
            logprobs: Any = {"tokens": ["x"], "token_logprobs": [-0.1], "top_logprobs": [tokens], "text_offset": [0]}
        else:
            logprobs = {"content": [{"token": "x", "logprob": 0.0,
                                 "top_logprobs": [{"token": t, "logprob": v} for t, v in tokens.items()]}]}  # fmt: skip
        choice = {"text": "x", "index": 0, "finish_reason": "length", "logprobs": logprobs}
        return 200, {"id": "1", "object": "text_completion", "created": 0, "model": "pretended", "choices": [choice]}

    return behave


def following(
    table: dict[str, dict[str, float]], most_prompts: int = 1000
) -> Callable[[str, dict[str, Any]], tuple[int, Any]]:
    """Answers prompts, also several at once, by what stands behind their last colon."""

    def behave(path: str, body: dict[str, Any]) -> tuple[int, Any]:
        several = isinstance(body["prompt"], list)
        prompts = body["prompt"] if several else [body["prompt"]]
        if len(prompts) > most_prompts:
            return 400, {"error": {"message": "too many prompts"}}
        choices = []
        for index, prompt in enumerate(prompts):
            tokens = table.get(prompt.rpartition(":")[2], {" and": -0.5})
            choices.append(completions(tokens, legacy=True)(path, body)[1]["choices"][0] | {"index": index})
        choices.reverse()  # their order is that of their indices
        return 200, {"id": "1", "object": "text_completion", "created": 0, "model": "pretended", "choices": choices}

    return behave


def chat(*texts: str, logprob: float = -0.2) -> Callable[[str, dict[str, Any]], tuple[int, Any]]:
    """Answers chats with these texts in turn, the last for ever."""
    left = list(texts)

    def behave(path: str, body: dict[str, Any]) -> tuple[int, Any]:
        text = left.pop(0) if len(left) > 1 else left[0]
        logprobs = {"content": [{"token": text, "logprob": logprob, "bytes": None, "top_logprobs": []}]}
        choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text},
                  "logprobs": logprobs}  # fmt: skip
        return 200, {"id": "1", "object": "chat.completion", "created": 0, "model": "pretended", "choices": [choice]}

    return behave


def slow(seconds: float) -> Callable[[str, dict[str, Any]], tuple[int, Any]]:
    """Takes its time."""

    def behave(path: str, body: dict[str, Any]) -> tuple[int, Any]:
        time.sleep(seconds)
        return completions({" yes\n": -0.1, " no\n": -3.0})(path, body)

    return behave
