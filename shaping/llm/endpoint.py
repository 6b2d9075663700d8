"""HTTP to an OpenAI-compatible endpoint: bounded, without secrets, and wiser with every refusal."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import ipaddress
import json
import logging
import os
import re
import threading
from collections.abc import Callable, Coroutine, Mapping, Sequence
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from shaping.llm.errors import Rejected, Unavailable

if TYPE_CHECKING:
    import httpx2

log = logging.getLogger(__name__)

KEY_VARIABLE = "OPENAI_API_KEY"
LEFT_OUT = object()
"""A field's last alternative: the request does without it."""

MOST_BYTES = 16 * 1024 * 1024  # of a reply
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 8.0  # seconds between two attempts at a request
LONGEST_ASKED = 60.0  # seconds that an endpoint may ask us to wait before the next; longer, and there is none
SHORTEST_KEY = 8  # characters; "none" and "EMPTY" are no secrets, and answers may hold such words
HIDDEN = "***"
REFUSALS = (400, 403, 422)  # what endpoints answer to a field that they do not know
PASSING = (408, 409, 425, 429)  # and 500 and more: the same may be answered later
ENVIRONMENT = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR")

Result = TypeVar("Result")
Fields = Mapping[str, Sequence[Any]]
"""Name of a field -> what to try for it, best first; `LEFT_OUT` is to do without."""


class Passing(Unavailable):
    """What may have passed in a second: a request is worth another attempt."""

    pause = 0.0
    """Seconds that the endpoint asks for before that (Retry-After)."""


class Broken(Passing):
    """The endpoint failed over a request, with a status of 500 or more or without a word."""


class TimedOut(Passing):
    """A reply did not come, or did not end, in time."""


class Refused(Rejected):
    """HTTP 400, 403 or 422: this request will never be answered, another may."""

    def __init__(self, status: int, words: str) -> None:
        super().__init__(f"the endpoint refuses the question (HTTP {status}): {words}")
        self.status = status


class Endpoint:
    """Sends JSON to one endpoint and gives the JSON of its replies.

    Every reply is bounded in time and size, however it comes. Where a field is refused, what comes
    after it in its list is tried and remembered. The key is struck out of whatever the endpoint
    says, before anybody sees it. May be used from several threads.

    Args:
        timeout: seconds from sending a request to the reply's last byte.
        retries: of a request that failed in a way that may pass, with exponential back-off.
        counted: called once for every request that is sent.
    """

    def __init__(self, timeout: float, retries: int, counted: Callable[[], None] = lambda: None) -> None:
        self._timeout = timeout
        self._retries = retries
        self._counted = counted
        self._closed = threading.Event()
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._client: httpx2.AsyncClient | None = None
        self._base = ""
        self._given_up: dict[tuple[str, str], int] = {}  # (path, field) -> alternatives that were refused
        self._proven: set[str] = set()  # paths that have answered: what they refuse now is the question

    def get(self, base: str, key: str, path: str) -> Any:
        """The JSON at ``base + path``; errors as of `post`."""
        return self._send(base, key, path, None)

    def post(self, base: str, key: str, path: str, body: Mapping[str, Any], fields: Fields) -> Any:
        """The reply to ``body``, to which the best accepted alternative of every field is added.

        Args:
            base: the endpoint's address, up to and with "/v1".
            key: that it is sent; struck out of its reply.
            path: below it.
            body: what every request must hold.
            fields: what it had better hold.

        Raises:
            TimedOut, Unavailable: nobody answers, or with an error that may pass.
            Refused: the endpoint refuses the question itself.
            Rejected: the reply cannot be used.
        """
        accepted = {name: self._given_up.get((path, name), 0) for name in fields}
        try:
            reply = self._send(base, key, path, _filled(body, fields, accepted))
        except Refused as refused:
            reply, accepted = self._bargain(base, key, path, body, fields, accepted, refused)
        self._given_up.update({(path, name): place for name, place in accepted.items() if place})
        self._proven.add(path)
        return reply

    def close(self) -> None:
        """Let go of connections, for good; requests under way end as unavailable."""
        self._closed.set()
        with self._lock:
            loop, client, self._loop, self._client = self._loop, self._client, None, None
        if loop is not None:
            asyncio.run_coroutine_threadsafe(_shut(loop, client), loop)

    # What it cannot do ----------------------------------------------------------------------------

    def _bargain(
        self,
        base: str,
        key: str,
        path: str,
        body: Mapping[str, Any],
        fields: Fields,
        accepted: dict[str, int],
        refused: Refused,
    ) -> tuple[Any, dict[str, int]]:
        """Look for what the endpoint refused: the fields it names, else one by one, else all."""

        def attempt(places: dict[str, int]) -> tuple[Any, dict[str, int]]:
            return self._send(base, key, path, _filled(body, fields, places)), places

        while named := [name for name in _further(fields, accepted) if name in str(refused)]:
            accepted = _next(fields, accepted, named)
            try:
                return attempt(accepted)
            except Refused as again:
                refused = again
        further = [] if path in self._proven else _further(fields, accepted)
        for names in [*([name] for name in further), *([further] if len(further) > 1 else [])]:
            with contextlib.suppress(Refused):
                return attempt(_next(fields, accepted, names))
        if refused.status == 403:  # who may not ask today may tomorrow
            raise Unavailable(str(refused))
        raise refused

    # Requests -------------------------------------------------------------------------------------

    def _send(self, base: str, key: str, path: str, body: Mapping[str, Any] | None) -> Any:
        pause = FIRST_PAUSE
        for left in reversed(range(self._retries + 1)):
            try:
                return self._once(base, key, path, body)
            except Passing as error:
                if not left or error.pause > LONGEST_ASKED or self._closed.wait(max(pause, error.pause)):
                    raise
                pause = min(2 * pause, LONGEST_PAUSE)
        raise AssertionError("the last attempt returns or raises")

    def _once(self, base: str, key: str, path: str, body: Mapping[str, Any] | None) -> Any:
        self._counted()
        status, content, wanted = self._run(self._exchange(self._connected(base), base + path, key, body))
        text = _hidden(content.decode("utf-8", "replace"), key)
        try:
            reply = _hidden(json.loads(text), key)  # again: JSON has other ways to write the same letters
        except (ValueError, RecursionError):
            reply = None
        if status != 200:
            raise _error(status, text if reply is None else json.dumps(reply, ensure_ascii=False), base, wanted)
        if reply is None:
            if text.lstrip()[:1] == "<":
                raise Unavailable(
                    f"{base} answers with a web page instead of JSON: llm.base_url must be the address of the "
                    "protocol itself, up to and with /v1"
                )
            raise Rejected(f"the answer does not follow OpenAI's protocol: {_words(text)!r} is no JSON")
        return reply

    async def _exchange(
        self, client: httpx2.AsyncClient, url: str, key: str, body: Mapping[str, Any] | None
    ) -> tuple[int, bytes, str]:
        import httpx2

        headers = {"Authorization": f"Bearer {key}", "Accept-Encoding": "identity"}
        sent = None if body is None else json.dumps(body).encode()
        if sent is not None:
            headers["Content-Type"] = "application/json"
        content = bytearray()
        try:
            # a timeout of the client is one of each read: a reply that trickles would never end
            async with asyncio.timeout(self._timeout):
                method = "GET" if body is None else "POST"
                async with client.stream(method, url, content=sent, headers=headers) as response:
                    async for chunk in response.aiter_bytes():
                        content += chunk
                        if len(content) > MOST_BYTES:
                            raise Rejected(f"the answer is longer than {MOST_BYTES // 2**20} MiB")
                    return response.status_code, bytes(content), response.headers.get("Retry-After", "")
        except (TimeoutError, httpx2.TimeoutException):
            raise TimedOut(
                f"Timeout: no whole answer within {self._timeout:g} s; a slow model needs a larger llm.timeout"
            ) from None
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as error:
            words = f"Connection error, {type(error).__name__}: {_words(_hidden(str(error), key))}"
            raise (Broken if isinstance(error, httpx2.ProtocolError) else Passing)(words) from None
        except UnicodeError:
            raise Unavailable(f"{KEY_VARIABLE} holds characters that cannot be sent; give a key of ASCII") from None
        except RuntimeError:  # the client was exchanged for that of a new address
            raise Passing("Connection error: it was closed") from None

    def _run(self, exchange: Coroutine[Any, Any, Result]) -> Result:
        with self._lock:
            loop = self._loop
        if loop is None:
            exchange.close()
            raise Unavailable("this language model was closed")
        future = asyncio.run_coroutine_threadsafe(exchange, loop)
        try:
            return future.result()
        except concurrent.futures.CancelledError:
            raise Unavailable("this language model was closed") from None
        except KeyboardInterrupt:
            future.cancel()
            raise

    def _connected(self, base: str) -> httpx2.AsyncClient:
        """The client, new where the address has changed: an embedded server may be a new one."""
        with self._lock:
            if self._closed.is_set():
                raise Unavailable("this language model was closed")
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                threading.Thread(target=_serve, args=(self._loop,), name="language-model-http", daemon=True).start()
            if self._client is None or self._base != base:
                if self._client is not None:
                    asyncio.run_coroutine_threadsafe(self._client.aclose(), self._loop)
                self._client, self._base = _client(base), base
            return self._client


def key_of_environment() -> str:
    """The user's key, "none" where there is none."""
    return os.environ.get(KEY_VARIABLE, "").strip() or "none"


def _client(base: str) -> httpx2.AsyncClient:
    import httpx2

    # No proxy leads to this machine's own loopback: what the environment says is for others.
    trusted = not _is_loopback(urlsplit(base).hostname or "")
    try:
        return httpx2.AsyncClient(timeout=None, trust_env=trusted, follow_redirects=True)
    except Exception as error:  # a proxy's scheme, a package for it, a file of certificates
        said = ", ".join(name for name in ENVIRONMENT if os.environ.get(name) or os.environ.get(name.lower()))
        raise Unavailable(
            f"no connection can be made ({type(error).__name__}); look at what the environment says of it: "
            f"{said or 'nothing'}"
        ) from None


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _serve(loop: asyncio.AbstractEventLoop) -> None:
    try:
        loop.run_forever()
    finally:
        loop.close()


async def _shut(loop: asyncio.AbstractEventLoop, client: httpx2.AsyncClient | None) -> None:
    for task in asyncio.all_tasks(loop) - {asyncio.current_task(loop)}:
        task.cancel()
    if client is not None:
        with contextlib.suppress(Exception):
            await client.aclose()
    loop.stop()


def _filled(body: Mapping[str, Any], fields: Fields, places: Mapping[str, int]) -> dict[str, Any]:
    chosen = {name: alternatives[places[name]] for name, alternatives in fields.items()}
    return {**body, **{name: value for name, value in chosen.items() if value is not LEFT_OUT}}


def _further(fields: Fields, places: Mapping[str, int]) -> list[str]:
    """The fields that have another alternative."""
    return [name for name, alternatives in fields.items() if places[name] + 1 < len(alternatives)]


def _next(fields: Fields, places: Mapping[str, int], names: Sequence[str]) -> dict[str, int]:
    return {name: place + (name in names) for name, place in places.items()}


def _error(status: int, text: str, base: str, wanted: str) -> Unavailable | Rejected:
    words = _words(text)
    if status in REFUSALS:
        return Refused(status, words)
    if status in (401, 407):
        return Unavailable(f"HTTP {status}: {words}; the key is taken from {KEY_VARIABLE}")
    if status in (404, 405):
        return Unavailable(f"HTTP {status}: {words}; is llm.base_url={base} right, up to and with /v1?")
    kind = Broken if status >= 500 else Passing if status in PASSING else Unavailable
    error = kind(f"HTTP {status}: {words}")
    if isinstance(error, Passing):
        error.pause = _pause(wanted)
    return error


def _pause(wanted: str) -> float:
    """The seconds of a Retry-After header, which holds seconds or a date; 0 where it does not."""
    if wanted.strip().isdecimal():
        return float(wanted)
    with contextlib.suppress(ValueError, TypeError):
        then = parsedate_to_datetime(wanted)
        return max(0.0, (then - datetime.now(then.tzinfo)).total_seconds())
    return 0.0


def _words(text: str) -> str:
    return " ".join(text.split())[:300]


def _hidden(said: Any, key: str) -> Any:
    """What an endpoint said without the key, wherever it stands in it."""
    if len(key) < SHORTEST_KEY:
        return said
    if isinstance(said, str):
        return re.sub(re.escape(key), HIDDEN, said, flags=re.IGNORECASE)
    if isinstance(said, list):
        return [_hidden(entry, key) for entry in said]
    if isinstance(said, dict):
        return {_hidden(name, key): _hidden(entry, key) for name, entry in said.items()}
    return said
