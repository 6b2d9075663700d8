"""The one client to a language model: the embedded one, or any OpenAI-compatible endpoint."""

from __future__ import annotations

import json
import logging
import math
import os
import re
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar
from urllib.parse import urlsplit

from foundation.checks import number, one_of, whole
from shaping.llm.cache import ResponseCache
from shaping.llm.errors import LanguageModelError, NotRecorded, Rejected, Unavailable
from shaping.llm.server import EmbeddedServer

if TYPE_CHECKING:
    import openai
    from pydantic import BaseModel

log = logging.getLogger(__name__)

KEY_VARIABLE = "OPENAI_API_KEY"
LIKELIEST = (100, 20, 5)
"""Log-probabilities asked for at a position: what llama.cpp gives, else what vLLM does, else what OpenAI does."""
HOPELESS = 12.0  # nats below the best
STRUCTURE_ATTEMPTS = 3
MOST_TEXT = 100_000  # characters of an answer that are looked at

Schema = TypeVar("Schema", bound="BaseModel")


class _Refused(Rejected):
    """HTTP 400: this request will never be answered, another may."""


class LanguageModel:
    """Asks a language model questions whose answers can be used.

    `choose` answers with one of the given answers and nothing else: it compares their log-probabilities, so there is
    no text to parse. `structure` answers with an instance of a pydantic model or not at all. Answers are kept in a
    cache on disk by model, prompt version and question, and are not asked for again.

    Nothing is connected or started before the first question that the cache cannot answer. All methods may be called
    from several threads.

    Args:
        base_url: of an OpenAI-compatible endpoint, up to and with "/v1". None: the embedded model.
        model: its name there; None: the first that the endpoint lists.
        model_path: of the embedded model, a GGUF file; None: SmolLM2-135M-Instruct.
        api: "completions" compares log-probabilities of any answers; "chat" is for endpoints that only chat: the
            answer is sampled, and rejected if it is none of those allowed.
        timeout: seconds for one request.
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
        self.base_url = base_url
        self.cache = cache if isinstance(cache, ResponseCache) else ResponseCache(cache)
        self.replay = replay
        self.server: EmbeddedServer | None = None
        self._name = model
        if base_url is None and not (replay and model is not None):
            self.server = EmbeddedServer(model_path, threads=threads, context=context, gpu_layers=gpu_layers)
            self._name = model or self.server.name
        elif replay and model is None:
            raise ValueError("llm.replay with llm.base_url needs llm.model: whose answers are to be replayed?")
        if replay and not self.cache.path.is_file():
            raise ValueError(f"llm.replay: there are no recorded answers in {self.cache.path}; give llm.cache=FILE")
        self._slots = threading.BoundedSemaphore(max_in_flight)
        self._closed = False
        self._lock = threading.Lock()
        self._client: openai.OpenAI | None = None
        self._client_url = ""
        self._likeliest = list(LIKELIEST)
        self._counts = dict.fromkeys(("asked", "cached", "unavailable", "rejected", "requests"), 0)
        self._latencies: deque[float] = deque(maxlen=1000)

    # Questions -----------------------------------------------------------------------------------------------------

    def choose(self, prompt: str, answers: Sequence[str], *, version: str) -> dict[str, float]:
        """The log-probability of each answer as what follows the prompt.

        With api="completions" each is the sum over the answer's tokens. It is a bound from above where a token is not
        among the likeliest of its position, or where the answer is e¹² times less likely than one before it, which is
        not followed to its end. Answers that begin alike share requests. End answers with a line feed to tell
        "open" from "open the door".

        Args:
            prompt: plain text to be continued. Whatever it holds, the result is about `answers` and nothing else.
            answers: different texts, not empty, none the beginning of another.
            version: of the prompt's wording, for the cache.

        Raises:
            Unavailable, Rejected, NotRecorded: there is no answer, with the reason.
            ValueError: answers that cannot be told apart.
        """
        answers = tuple(answers)
        for one in answers:
            if not one or any(other.startswith(one) for other in answers if other is not one):
                raise ValueError(f"answers {answers} cannot be told apart: {one!r} is empty or begins another")
        question = {"choose": list(answers), "prompt": prompt, "api": self.api}
        found = self._cached(version, question)
        if not (_is_choice(found) and set(found) == set(answers)):
            compare = self._compare if self.api == "completions" else self._compare_chat
            found = self._ask(version, question, lambda: compare(prompt, answers))
        return {answer: float(found[answer]) for answer in answers}

    def structure(self, prompt: str, schema: type[Schema], *, version: str, max_tokens: int = 400) -> Schema:
        """An instance of a pydantic model from free text: constrained where the endpoint can, repaired, validated.

        Raises:
            Unavailable, NotRecorded: there is no answer.
            Rejected: no answer fitted the schema in three attempts.
        """
        shape = schema.model_json_schema()
        question = {"structure": shape, "prompt": prompt, "max_tokens": max_tokens, "api": self.api}
        found = self._cached(version, question)
        if found is not None:
            try:
                return schema.model_validate(found)
            except ValueError:
                log.warning("a cached answer does not fit its schema any more; it is asked for again")
        answer: Any = self._ask(version, question, lambda: self._structured(prompt, schema, shape, max_tokens))
        return schema.model_validate(answer)

    def known(self, prompt: str, answers: Sequence[str], *, version: str) -> dict[str, float] | None:
        """What `choose` would give without asking, or None: for callers that must not wait."""
        found = self._cached(version, {"choose": list(answers), "prompt": prompt, "api": self.api}, count=False)
        return {answer: float(found[answer]) for answer in answers} if _is_choice(found) else None

    # The model -----------------------------------------------------------------------------------------------------

    @property
    def identity(self) -> str | None:
        """Names the model in the cache; None while it is an endpoint's own choice that was not asked for yet."""
        return self._name

    def __deepcopy__(self, memo: Any) -> LanguageModel:
        return self  # a connection is shared, never copied

    def metrics(self) -> dict[str, float]:
        """Questions asked, cached, unavailable and rejected, HTTP requests, and seconds to an answer (mean, p95)."""
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
            client, self._client, self._client_url = self._client, None, ""
        if client is not None:
            client.close()
        if self.server is not None:
            self.server.close()
        self.cache.close()

    # Asking --------------------------------------------------------------------------------------------------------

    def _cached(self, version: str, question: dict[str, Any], count: bool = True) -> Any:
        if self._name is None:
            return None
        found = self.cache.get(self._name, version, question)
        if found is not None and count:
            self._count("cached")
        return found

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

    def _request(self, send: Callable[[openai.OpenAI], Any]) -> Any:
        """One request; what openai raises becomes ours, without the key that an endpoint may have quoted."""
        import openai

        url = self.base_url if self.server is None else self.server.address()
        assert url is not None
        key = self.server.key if self.server is not None else os.environ.get(KEY_VARIABLE) or "none"
        with self._lock:
            if self._client is None or self._client_url != url:
                self._client = openai.OpenAI(base_url=url, api_key=key, timeout=self.timeout, max_retries=self.retries)
                self._client_url = url
            client = self._client
            self._counts["requests"] += 1
        try:
            return send(client)
        except openai.APIError as error:
            words = " ".join(str(error).split()).replace(key, "***")[:300]
            if isinstance(error, openai.BadRequestError):
                raise _Refused(f"the endpoint refuses the question: {words}") from None
            raise Unavailable(f"{type(error).__name__}: {words}") from None
        except (ValueError, TypeError) as error:  # an answer that is no JSON, or none of this protocol
            raise Rejected(f"the answer does not follow OpenAI's protocol: {type(error).__name__}") from None

    def _first_model(self) -> str:
        listed = self._request(lambda client: client.models.list())
        names = [str(model.id) for model in getattr(listed, "data", None) or ()]
        if not names:
            raise Unavailable(f"{self.base_url} lists no model; give llm.model=NAME")
        return names[0]

    @property
    def _remote_name(self) -> str:
        return self._name or ""

    def _compare(self, prompt: str, answers: tuple[str, ...]) -> dict[str, float]:
        positions: dict[str, dict[str, float]] = {}

        def following(text: str) -> dict[str, float]:
            """Tokens that may follow, with their log-probabilities."""
            if text not in positions:
                while True:
                    likeliest = self._likeliest[0]
                    more = {"n_probs": likeliest, "cache_prompt": True} if self.server is not None else {}
                    try:
                        response = self._request(
                            lambda client, n=likeliest, more=more: client.completions.create(  # type: ignore[misc]
                                model=self._remote_name,
                                prompt=text,
                                max_tokens=1,
                                temperature=0.0,
                                logprobs=n,
                                extra_body=more,
                            )
                        )
                        break
                    except _Refused as error:
                        if len(self._likeliest) == 1 or "logprobs" not in str(error):
                            raise
                        self._likeliest.pop(0)
                positions[text] = _likely_tokens(response)
            return positions[text]

        scores: dict[str, float] = {}
        unseen = 0
        for answer in answers:
            text, rest, score, first = prompt, answer, 0.0, True
            while rest:
                tokens = following(text)
                fitting = [token for token in tokens if token and rest.startswith(token)]
                if fitting:
                    token = max(fitting, key=len)
                    score += tokens[token]
                else:  # less likely than everything that was told
                    unseen += first
                    token = re.match(r"\s*\w+|\s*\W|\s+", rest).group()  # type: ignore[union-attr]
                    score += min(tokens.values())
                text, rest, first = text + token, rest[len(token) :], False
                if scores and score < max(scores.values()) - HOPELESS:
                    break  # what is left of it can only make it less likely
            scores[answer] = score
        if unseen == len(answers):
            raise Rejected(f"none of the answers {answers} is among what the model would say")
        return scores

    def _compare_chat(self, prompt: str, answers: tuple[str, ...]) -> dict[str, float]:
        listed = "\n".join(f"- {answer.strip()}" for answer in answers)
        content = f"{prompt}\n\nAnswer with one of the following and nothing else:\n{listed}"
        text, score = self._said(content, max_tokens=32, temperature=0.0)
        said = _plain(text)
        chosen = [answer for answer in answers if _plain(answer) == said]
        if len(chosen) != 1:
            raise Rejected(f"the model answered {text[:100]!r}, which is none of {answers}")
        others = math.log(max(1.0 - math.exp(score), 1e-6) / max(1, len(answers) - 1))
        return {answer: score if answer == chosen[0] else others for answer in answers}

    def _structured(self, prompt: str, schema: type[Schema], shape: dict[str, Any], max_tokens: int) -> Any:
        import json_repair

        reasons = []
        for attempt in range(STRUCTURE_ATTEMPTS):
            text, _ = self._said(
                prompt, max_tokens=max_tokens, temperature=0.0 if attempt == 0 else 0.7, shape=shape, seed=attempt
            )
            try:
                return schema.model_validate(json_repair.loads(_json_part(text))).model_dump(mode="json")
            except (ValueError, RecursionError) as error:
                reasons.append(str(error).split("\n")[0][:200])
        raise Rejected(f"no answer fitted the schema: {'; '.join(reasons)}")

    def _said(
        self, content: str, *, max_tokens: int, temperature: float, shape: dict[str, Any] | None = None, seed: int = 0
    ) -> tuple[str, float]:
        """Sampled text and its log-probability (0 where the endpoint does not tell)."""
        constrained = shape is not None
        while True:
            chat: dict[str, Any] = {"messages": [{"role": "user", "content": content}]}
            if constrained:
                chat["response_format"] = {"type": "json_schema", "json_schema": {"name": "answer", "schema": shape}}
            elif shape is None:
                chat["logprobs"] = True
            try:
                response = self._request(
                    lambda client, chat=chat: client.chat.completions.create(  # type: ignore[misc]
                        model=self._remote_name, max_tokens=max_tokens, temperature=temperature, seed=seed, **chat
                    )
                )
                break
            except _Refused:
                if not constrained:
                    raise
                constrained = False  # it cannot constrain: parsing and the schema decide alone
        try:
            choice = response.choices[0]
            text = str(choice.message.content or "")[:MOST_TEXT]
            told = getattr(choice.logprobs, "content", None) or []
            score = sum(float(token.logprob) for token in told)
        except (AttributeError, IndexError, TypeError, ValueError) as error:
            raise Rejected(f"the answer does not follow OpenAI's protocol: {type(error).__name__}") from None
        return text, min(score, 0.0) if math.isfinite(score) else 0.0


def _likely_tokens(response: Any) -> dict[str, float]:
    """Token -> log-probability of the first position, as llama.cpp tells it (`content`) or as OpenAI does."""
    try:
        told = response.choices[0].logprobs.model_dump()
        if told.get("content"):
            pairs = [(entry["token"], entry["logprob"]) for entry in told["content"][0]["top_logprobs"]]
        else:
            pairs = list(told["top_logprobs"][0].items())
        tokens = {str(token): float(value) for token, value in pairs if math.isfinite(float(value))}
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise Rejected(
            f"the endpoint tells no log-probabilities ({type(error).__name__}); use llm.api=chat for it"
        ) from None
    if not tokens:
        raise Rejected("the endpoint tells no log-probabilities; use llm.api=chat for it")
    return tokens


def _is_choice(found: Any) -> bool:
    """Is this what `choose` keeps in the cache? Anybody may have written to that file."""
    return isinstance(found, dict) and all(
        isinstance(value, int | float) and math.isfinite(value) for value in found.values()
    )


def _plain(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.lower()))


def _json_part(text: str) -> str:
    """A fenced block's inside, else everything."""
    blocks = re.findall(r"```(?:json|python)?\s*(.*?)```", text, re.DOTALL)
    part = blocks[-1] if blocks else text
    try:
        json.loads(part)
        return part
    except ValueError:
        return re.sub(r"\bTrue\b", "true", re.sub(r"\bFalse\b", "false", re.sub(r"\bNone\b", "null", part)))


def _check_url(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"llm.base_url={url!r} is no address; expected one such as http://localhost:8000/v1")
    if parts.username or parts.password or parts.query:
        raise ValueError(
            "llm.base_url holds a user name, password or query, and a run's configuration is written to disk. Give the "
            f"key in the environment variable {KEY_VARIABLE}"
        )
