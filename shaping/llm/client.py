"""The one client to a language model: the embedded one, or any OpenAI-compatible endpoint."""

from __future__ import annotations

import json
import logging
import math
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar
from urllib.parse import urlsplit

from foundation.checks import number, one_of, whole
from shaping.llm.cache import ResponseCache
from shaping.llm.continuations import LIKELIEST, Continuations
from shaping.llm.endpoint import HIDDEN, KEY_VARIABLE, LEFT_OUT, Endpoint, Fields, key_of_environment
from shaping.llm.errors import LanguageModelError, NotRecorded, Rejected, Unavailable
from shaping.llm.sampled import Sampled, chosen, is_choice, json_part
from shaping.llm.server import EmbeddedServer

if TYPE_CHECKING:
    from pydantic import BaseModel

log = logging.getLogger(__name__)

STRUCTURE_ATTEMPTS = 3
CHOICE_TOKENS = (32, 2048)
"""Of a sampled choice; of one by a model that thinks aloud before it answers."""

Schema = TypeVar("Schema", bound="BaseModel")
Message = Mapping[str, str]
"""{"role": "system", "user" or "assistant", "content": text}."""


class LanguageModel:
    """Asks a language model questions whose answers can be used.

    `choose` answers with one of the given answers and nothing else: it compares their
    log-probabilities, so there is no text to parse. `structure` answers with an instance of a
    pydantic model or not at all. Answers are kept in a cache on disk by model, prompt version and
    question, and are not asked for again.

    Nothing is connected or started before the first question that the cache cannot answer. All
    methods may be called from several threads.

    Args:
        base_url: of an OpenAI-compatible endpoint, up to and with "/v1". None: the embedded model.
        model: its name there, or in a recording; None: the first that the endpoint lists.
        model_path: of the embedded model, a GGUF file; None: SmolLM2-135M-Instruct.
        api: "completions" compares log-probabilities of any answers; "chat" is for endpoints that
            only chat: the answer is sampled, and rejected if it is none of those allowed.
        timeout: seconds for one request, from sending it to the last byte of the reply.
        retries: of a request that failed, with exponential back-off.
        max_in_flight: requests at one time.
        threads: of the embedded model.
        context: tokens of the embedded model.
        gpu_layers: layers of the embedded model on a GPU.
        cache: file of the response cache; None: the user's own.
        replay: answer from the cache alone; nothing is connected or started.

    Raises:
        ValueError: settings that cannot work, before anything is asked.
    """

    def __init__(
        self,
        *,
        base_url: str | None = None,
        model: str | None = None,
        model_path: str | Path | None = None,
        api: Literal["completions", "chat"] = "completions",
        timeout: float = 30.0,
        retries: int = 2,
        max_in_flight: int = 1,
        threads: int = 1,
        context: int = 4096,
        gpu_layers: int = 0,
        cache: str | Path | ResponseCache | None = None,
        replay: bool = False,
    ) -> None:
        self.api = one_of("llm.api", api, ("completions", "chat"))
        self.timeout = number("llm.timeout", timeout, above=0)
        self.retries = whole("llm.retries", retries, least=0)
        self.max_in_flight = whole("llm.max_in_flight", max_in_flight)
        if base_url is not None:
            _check_url(base_url)
            if model_path is not None:
                raise ValueError("llm.base_url and llm.model_path are two different models; give one of them")
        elif model is not None and not replay:
            raise ValueError(
                f"llm.model={model} is a name at an endpoint, and llm.base_url is missing: give it too, or another "
                "embedded model with llm.model_path=FILE.gguf"
            )
        self.base_url = base_url
        self.cache = cache if isinstance(cache, ResponseCache) else ResponseCache(cache)
        self.replay = replay
        self.server: EmbeddedServer | None = None
        self._name = model
        if base_url is None and not (replay and model is not None):
            self.server = EmbeddedServer(model_path, threads=threads, context=context, gpu_layers=gpu_layers)
            self._name = self.server.name
        elif replay and model is None:
            raise ValueError("llm.replay with llm.base_url needs llm.model: whose answers are to be replayed?")
        if replay and not self.cache.path.is_file():
            raise ValueError(f"llm.replay: there are no recorded answers in {self.cache.path}; give llm.cache=FILE")
        self._slots = threading.BoundedSemaphore(max_in_flight)
        self._closed = False
        self._lock = threading.Lock()
        self._endpoint = Endpoint(self.timeout, self.retries, lambda: self._count("requests"))
        embedded = self.server is not None
        own: Fields = {"n_probs": (LIKELIEST[0],), "cache_prompt": (True,)} if embedded else {}
        self._continuations = Continuations(partial(self._post, "/completions"), own, guesses=embedded)
        self._choice_tokens = CHOICE_TOKENS[0]
        self._counts = dict.fromkeys(("asked", "cached", "unavailable", "rejected", "requests"), 0)
        self._latencies: deque[float] = deque(maxlen=1000)

    # Questions ------------------------------------------------------------------------------------

    def choose(self, prompt: str, answers: Sequence[str], *, version: str) -> dict[str, float]:
        """The log-probability of each answer as what follows the prompt.

        With api="completions" each is the sum over the answer's tokens. It is a bound from above
        where a token is not among the likeliest of its position, or where the answer is e¹² times
        less likely than one before it, which is not followed to its end. The prompts of a question
        go in one request, where the endpoint takes several. End answers with a line feed to tell
        "open" from "open the door".

        Args:
            prompt: plain text to be continued. Whatever it holds, the result is about `answers` and
                nothing else.
            answers: different texts, not empty, none the beginning of another.
            version: of the prompt's wording, for the cache.

        Raises:
            Unavailable, Rejected, NotRecorded: there is no answer, with the reason.
            ValueError: answers that cannot be told apart.
        """
        answers = tuple(answers)
        for answer in answers:
            if not answer or any(other.startswith(answer) for other in answers if other is not answer):
                raise ValueError(f"answers {answers} cannot be told apart: {answer!r} is empty or begins another")
        question = {"choose": list(answers), "prompt": prompt, "api": self.api}
        scores = self._cached(version, question)
        if not (is_choice(scores) and set(scores) == set(answers)):
            compare = self._compare if self.api == "completions" else self._compare_chat
            scores = self._ask(version, question, lambda: compare(prompt, answers))
        return {answer: float(scores[answer]) for answer in answers}

    def structure(self, prompt: str, schema: type[Schema], *, version: str, max_tokens: int = 400) -> Schema:
        """A pydantic model's instance from free text: constrained if possible, repaired, validated.

        Raises:
            Unavailable, NotRecorded: there is no answer.
            Rejected: no answer fitted the schema in three attempts.
        """
        shape = schema.model_json_schema()
        question = {"structure": shape, "prompt": prompt, "max_tokens": max_tokens, "api": self.api}
        cached = self._cached(version, question)
        if cached is not None:
            try:
                return schema.model_validate(cached)
            except ValueError:
                log.warning("a cached answer does not fit its schema any more; it is asked for again")
        answer: Any = self._ask(version, question, lambda: self._structured(prompt, schema, shape, max_tokens))
        return schema.model_validate(answer)

    def reply(self, messages: Sequence[Message], *, version: str, max_tokens: int = 400) -> str:
        """What the model says next in a conversation, in its own words, its thoughts left out.

        Sampled at temperature 0, so a question has one answer and the cache may hold it.

        Args:
            messages: so far; the last is what it answers to.
            version: of the prompt's wording, for the cache.
            max_tokens: of the answer.

        Raises:
            Unavailable, Rejected, NotRecorded: there is no answer, with the reason.
        """
        question = {"reply": [dict(message) for message in messages], "max_tokens": max_tokens}
        cached = self._cached(version, question)
        if isinstance(cached, str):
            return cached
        return str(self._ask(version, question, lambda: self._said(messages, max_tokens)))

    def known(self, prompt: str, answers: Sequence[str], *, version: str) -> dict[str, float] | None:
        """What `choose` would give without asking, or None: for callers that must not wait."""
        scores = self._cached(version, {"choose": list(answers), "prompt": prompt, "api": self.api}, count=False)
        return {answer: float(scores[answer]) for answer in answers} if is_choice(scores) else None

    # The model ------------------------------------------------------------------------------------

    @property
    def identity(self) -> str | None:
        """Names the model in the cache; None while the endpoint was not asked yet which it has."""
        return self._name

    def __deepcopy__(self, memo: Any) -> LanguageModel:
        return self  # a connection is shared, never copied

    def metrics(self) -> dict[str, float]:
        """Questions asked, cached, unavailable, rejected; requests; seconds to answers."""
        with self._lock:
            latencies = sorted(self._latencies)
            counts = {name: float(value) for name, value in self._counts.items()}
        if latencies:
            counts["latency_mean"] = sum(latencies) / len(latencies)
            counts["latency_p95"] = latencies[int(0.95 * (len(latencies) - 1))]
        return counts

    def close(self) -> None:
        """Stop the embedded server and let go of connections and files, for good."""
        with self._lock:
            self._closed = True
        self._endpoint.close()
        if self.server is not None:
            self.server.close()
        self.cache.close()

    # Asking ---------------------------------------------------------------------------------------

    def _cached(self, version: str, question: dict[str, Any], count: bool = True) -> Any:
        if self._name is None:
            return None
        answer = self.cache.get(self._name, version, question)
        if answer is not None and count:
            self._count("cached")
        return answer

    def _ask(self, version: str, question: dict[str, Any], ask: Callable[[], Any]) -> Any:
        if self.replay:
            raise NotRecorded(f"{self.cache.path} holds no answer of {self._name} to {str(question)[:200]}")
        if self._closed:
            raise Unavailable("this language model was closed")
        self._count("asked")
        started = time.monotonic()
        try:
            with self._slots:
                if self._name is None:
                    self._name = self._first_model()
                answer = ask()
        except LanguageModelError as error:
            self._count("rejected" if isinstance(error, Rejected) else "unavailable")
            raise
        with self._lock:
            self._latencies.append(time.monotonic() - started)
        self.cache.put(self._name, version, question, answer)
        return answer

    def _count(self, name: str) -> None:
        with self._lock:
            self._counts[name] += 1

    def _address(self) -> tuple[str, str]:
        """Where to ask, and the key for it."""
        if self.server is not None:
            return self.server.address(), self.server.key
        assert self.base_url is not None
        return self.base_url.rstrip("/"), key_of_environment()

    def _post(self, path: str, body: Mapping[str, Any], fields: Fields) -> Any:
        return self._endpoint.post(*self._address(), path, {"model": self._name or "", **body}, fields)

    def _first_model(self) -> str:
        listed = self._endpoint.get(*self._address(), "/models")
        entries = listed.get("data") if isinstance(listed, dict) else None
        names = [str(entry["id"]) for entry in entries or () if isinstance(entry, dict) and entry.get("id")]
        names = [name for name in names if HIDDEN not in name]  # an endpoint that names models by the key
        if not names:
            raise Unavailable(f"{self.base_url} lists no model; give llm.model=NAME")
        return names[0]

    def _compare(self, prompt: str, answers: tuple[str, ...]) -> dict[str, float]:
        return self._continuations.scores(prompt, answers)

    def _compare_chat(self, prompt: str, answers: tuple[str, ...]) -> dict[str, float]:
        listed = "\n".join(f"- {answer.strip()}" for answer in answers)
        content = f"{prompt}\n\nAnswer with one of the following and nothing else:\n{listed}"
        said = self._chat(content, {"max_tokens": (self._choice_tokens, LEFT_OUT), "logprobs": (True, LEFT_OUT)})
        if said.thinking and self._choice_tokens != CHOICE_TOKENS[1]:
            self._choice_tokens = CHOICE_TOKENS[1]
            return self._compare_chat(prompt, answers)
        answer = chosen(said.text, answers)
        if answer is None:
            raise Rejected(f"the model answered {said.text[:200]!r}, which is none of {answers}")
        others = math.log(max(1.0 - math.exp(said.score), 1e-6) / max(1, len(answers) - 1))
        return {other: said.score if other == answer else others for other in answers}

    def _said(self, messages: Sequence[Message], max_tokens: int) -> str:
        said = self._chat(messages, {"max_tokens": (max_tokens, LEFT_OUT)})
        if said.thinking and max_tokens < CHOICE_TOKENS[1]:
            return self._said(messages, CHOICE_TOKENS[1])
        return said.text

    def _structured(self, prompt: str, schema: type[Schema], shape: dict[str, Any], max_tokens: int) -> Any:
        """JSON that the schema accepts: as the model wrote it, so that it is accepted again."""
        import json_repair

        constrained = {"type": "json_schema", "json_schema": {"name": "answer", "schema": shape}}
        reasons, said = [], Sampled("", 0.0, False)
        for attempt in range(STRUCTURE_ATTEMPTS):
            fields: Fields = {
                "max_tokens": (max_tokens, LEFT_OUT),
                "response_format": (constrained, LEFT_OUT),  # else parsing and the schema decide alone
                "seed": (attempt, LEFT_OUT),
            }
            said = self._chat(prompt, fields, temperature=0.0 if attempt == 0 else 0.7)
            if said.thinking:
                max_tokens = max(max_tokens, CHOICE_TOKENS[1])
            try:
                answer = json_repair.loads(json_part(said.text))
                schema.model_validate(answer)
                json.dumps(answer, allow_nan=False)  # the cache holds what JSON can
                return answer
            except (ValueError, RecursionError) as error:
                reasons.append(" ".join(str(error).split())[:200])
        raise Rejected(f"no answer fitted the schema: {'; '.join(reasons)}; the last was {said.text[:200]!r}")

    def _chat(self, content: str | Sequence[Message], fields: Fields, temperature: float = 0.0) -> Sampled:
        """A sampled answer to one message, or to a conversation."""
        said = [{"role": "user", "content": content}] if isinstance(content, str) else [dict(part) for part in content]
        body = {"messages": said}
        return Sampled.of(self._post("/chat/completions", body, {"temperature": (temperature, LEFT_OUT), **fields}))


def _check_url(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"llm.base_url={url!r} is no address; expected one such as http://localhost:8000/v1")
    if parts.username or parts.password or parts.query:
        raise ValueError(
            "llm.base_url holds a user name, password or query, and a run's configuration is written to disk. Give the "
            f"key in the environment variable {KEY_VARIABLE}"
        )
