"""The client against endpoints: what they cannot do, what never ends, what must stay secret."""

from __future__ import annotations

import itertools
import logging
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from pydantic import BaseModel, Field

from shaping.llm import LanguageModel, Rejected, ResponseCache, Unavailable
from shaping.llm.endpoint import MOST_BYTES
from shaping.llm.sampled import chosen, without_thoughts
from tests.shaping.endpoint import chat, completions, endpoint, following

YES_NO = [" yes\n", " no\n"]
GOALS = [" none\n", " take the key\n", " open the door\n"]
TABLE = {
    "": {" none": -0.5, " take": -1.5, " open": -2.5},
    " none": {"\n": -0.1},
    " take": {" the": -0.1, " a": -3.0},
    " take the": {" k": -0.2, " d": -1.0},
    " take the k": {"ey": -0.3},
    " take the key": {"\n": -0.4},
    " open": {" the": -0.1},
    " open the": {" door": -0.2},
    " open the door": {"\n": -0.4},
}
SCORES = {" none\n": -0.6, " take the key\n": -2.5, " open the door\n": -3.2}
KEY = "sk-very-secret-0123456789"


@pytest.fixture
def pretended():
    with endpoint() as server:
        yield server


@pytest.fixture
def ask(pretended, tmp_path):
    """A model of the pretended endpoint, with other settings where they are given."""
    models = []

    def make(**settings):
        model = LanguageModel(
            **{"base_url": pretended.url, "cache": tmp_path / "c.sqlite", "timeout": 5, "retries": 0} | settings
        )
        models.append(model)
        return model

    yield make
    for model in models:
        model.close()


# The way there ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("HTTP_PROXY", "http://127.0.0.1:9"),
        ("http_proxy", "http://127.0.0.1:9"),
        ("ALL_PROXY", "socks5://127.0.0.1:9"),
        ("ALL_PROXY", "nonsense://127.0.0.1:9"),
        ("SSL_CERT_FILE", "/nowhere/at/all.pem"),
    ],
)
def test_no_proxy_of_the_environment_stands_between_this_machine_and_itself(ask, monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    assert ask().choose("Is it?", YES_NO, version="1")[" yes\n"] == -0.1


@pytest.mark.parametrize(
    ("name", "value"), [("ALL_PROXY", "nonsense://user:secret-word@127.0.0.1:9"), ("HTTP_PROXY", "socks9://x")]
)
def test_a_connection_that_cannot_be_made_is_unavailable_and_names_the_variable(ask, monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    with pytest.raises(Unavailable, match=name) as raised:
        ask(base_url="http://models.invalid/v1").choose("Is it?", YES_NO, version="1")
    assert "secret-word" not in str(raised.value)


def test_a_key_that_no_header_can_hold_is_unavailable_and_not_told(ask, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY + "é")
    with pytest.raises(Unavailable, match="OPENAI_API_KEY") as raised:
        ask().choose("Is it?", YES_NO, version="1")
    assert KEY not in str(raised.value)


@pytest.mark.parametrize("form", ["seconds", "date"])
def test_an_endpoint_that_asks_for_time_gets_it(pretended, ask, form):
    well = completions({" yes\n": -0.5, " no\n": -2.0})
    came: list[float] = []

    def behave(path, body):
        came.append(time.monotonic())
        return (429, {"error": {"message": "slow down"}}) if len(came) == 1 else well(path, body)

    pretended.behave = behave
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=3), usegmt=True)
    pretended.headers["Retry-After"] = "2" if form == "seconds" else later
    assert ask(retries=1, timeout=10, model="m").choose("Is it?", YES_NO, version="1")[" yes\n"] == -0.5
    assert came[1] - came[0] > 1.5  # and not the half second of the first pause


def test_an_endpoint_that_asks_for_more_time_than_a_training_has_is_unavailable_at_once(pretended, ask):
    pretended.behave = lambda *_: (503, {"error": {"message": "back tomorrow"}})
    pretended.headers["Retry-After"] = "86400"
    started = time.monotonic()
    with pytest.raises(Unavailable, match="back tomorrow"):
        ask(retries=3, model="m").choose("Is it?", YES_NO, version="1")
    assert time.monotonic() - started < 5
    assert len(pretended.requests) == 1


# Replies without end ------------------------------------------------------------------------------


def drops(head: bytes, drop: bytes, pause: float):
    yield head
    for _ in itertools.count():
        time.sleep(pause)
        yield drop


ENDLESS = {
    "a body that trickles": (b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n", b" "),
    "a body of unknown length": (b"HTTP/1.1 200 OK\r\n\r\n", b" "),
    "headers that trickle": (b"HTTP/1.1 200 OK\r\nX-A: ", b"a"),
    "nothing but headers": (b"HTTP/1.1 200 OK\r\n", b"X-A: a\r\n"),
}


@pytest.mark.parametrize("kind", ENDLESS)
def test_a_reply_that_trickles_ends_with_the_timeout(ask, pretended, kind):
    pretended.behave = lambda *_: (200, drops(*ENDLESS[kind], pause=0.05))
    started = time.monotonic()
    with pytest.raises(Unavailable, match="Timeout"):
        ask(model="m", timeout=0.4).choose("Is it?", YES_NO, version="1")
    assert time.monotonic() - started < 2


def test_a_reply_that_is_too_long_is_not_read_to_its_end(ask, pretended):
    block = b" " * 2**20
    pretended.behave = lambda *_: (200, drops(b"HTTP/1.1 200 OK\r\n\r\n", block, pause=0))
    with pytest.raises(Rejected, match=f"longer than {MOST_BYTES // 2**20} MiB"):
        ask(model="m").choose("Is it?", YES_NO, version="1")


# What an endpoint cannot do -----------------------------------------------------------------------


def refusing(field, status, words, answer):
    """An endpoint that refuses every request with this field."""

    def behave(path, body):
        return (status, {"error": {"message": words}}) if field in body else answer(path, body)

    return behave


@pytest.mark.parametrize("status", [400, 403, 422])
@pytest.mark.parametrize("words", ["Unsupported parameter: '{}' is not known", "Bad request."])
@pytest.mark.parametrize(
    ("api", "field"),
    [
        ("completions", "max_tokens"),
        ("completions", "temperature"),
        ("chat", "max_tokens"),
        ("chat", "temperature"),
        ("chat", "logprobs"),
    ],
)
def test_a_refused_field_is_left_out_and_that_is_remembered(ask, pretended, api, field, status, words):
    answer = completions({" yes\n": -0.5, " no\n": -2.0}) if api == "completions" else chat("Yes")
    pretended.behave = refusing(field, status, words.format(field), answer)
    model = ask(api=api)
    scores = model.choose("Is it?", YES_NO, version="1")
    assert scores[" yes\n"] > scores[" no\n"]
    others = {"max_tokens", "temperature"} - {field}
    assert others <= set(pretended.requests[-1])
    asked = len(pretended.requests)
    model.choose("Is it now?", YES_NO, version="1")
    assert len(pretended.requests) == asked + 1


@pytest.mark.parametrize("field", ["seed", "response_format", "max_tokens", "temperature"])
@pytest.mark.parametrize("status", [400, 403, 422])
def test_free_text_does_without_a_refused_field_too(ask, pretended, field, status):
    pretended.behave = refusing(field, status, "no", chat('{"goal": "a"}'))
    model = ask()
    assert model.structure("?", Aliased, version="1").aim == "a"
    asked = len(pretended.requests)
    assert model.structure("??", Aliased, version="1").aim == "a"
    assert len(pretended.requests) == asked + 1


def test_a_question_that_is_refused_by_an_endpoint_that_has_answered_is_asked_once(ask, pretended):
    model = ask()
    model.choose("Is it?", YES_NO, version="1")
    pretended.behave = lambda *_: (400, {"error": {"message": "the prompt is too long"}})
    asked = len(pretended.requests)
    with pytest.raises(Rejected, match="too long"):
        model.choose("Is it now?", YES_NO, version="1")
    assert len(pretended.requests) == asked + 1


def test_who_may_not_ask_is_told_to_come_back(ask, pretended):
    pretended.behave = lambda *_: (403, {"error": {"message": "no credit left"}})
    with pytest.raises(Unavailable, match="no credit left"):
        ask().choose("Is it?", YES_NO, version="1")


@pytest.mark.parametrize("page", [b"<!DOCTYPE html><html>Sign in</html>", b"\n <html>"])
def test_a_web_page_says_that_the_address_is_wrong(ask, pretended, page):
    pretended.behave = lambda *_: (200, page)
    for api in ("completions", "chat"):
        with pytest.raises(Unavailable, match=r"web page.*llm\.base_url"):
            ask(api=api).choose("Is it?", YES_NO, version="1")


def test_a_path_that_is_not_there_says_that_the_address_is_wrong(ask, pretended):
    pretended.behave = lambda *_: (404, {"error": {"message": "not found"}})
    with pytest.raises(Unavailable, match=r"llm\.base_url=.* right, up to and with /v1"):
        ask().choose("Is it?", YES_NO, version="1")


# What it says in words ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("Goal: open the door", "open the door"),
        ("**Answer:** Open the door.", "open the door"),
        ("- open the door", "open the door"),
        ('"open the door"', "open the door"),
        ("open the door\n\nThe hero used the key.", "open the door"),
        ("<think>take the key? No.</think>\n\nopen the door", "open the door"),
        ("The goal is: none", "none"),
        ("I would not open the door", None),
        ("open the door\ntake the key", None),
        ("<think>open the door", None),
        ("", None),
    ],
)
def test_an_answer_is_found_behind_labels_and_thoughts_and_nowhere_else(text, answer):
    assert chosen(without_thoughts(text), ["none", "take the key", "open the door"]) == answer


def test_a_model_that_thinks_aloud_gets_room_to_and_that_is_remembered(ask, pretended):
    answers = {32: "<think>Is it? Let me see, the hero", 2048: "<think>It is.</think>yes"}
    pretended.behave = lambda path, body: chat(answers[body["max_tokens"]])(path, body)
    model = ask(api="chat")
    for prompt in ("Is it?", "Is it now?"):
        scores = model.choose(prompt, YES_NO, version="1")
        assert scores[" yes\n"] > scores[" no\n"]
    assert [request["max_tokens"] for request in pretended.requests] == [32, 2048, 2048]


def test_a_rejection_shows_what_was_said(ask, pretended):
    pretended.behave = chat("It depends.")
    with pytest.raises(Rejected, match="It depends"):
        ask(api="chat").choose("Is it?", YES_NO, version="1")
    with pytest.raises(Rejected, match="It depends"):
        ask().structure("?", Aliased, version="1")
    pretended.behave = completions({" perhaps": -0.1, " never": -0.2})
    with pytest.raises(Rejected, match="' perhaps', ' never'"):
        ask().choose("Is it?", YES_NO, version="1")


class Aliased(BaseModel):
    aim: str = Field(alias="goal")


class TwoNames(BaseModel):
    aim: str = Field(validation_alias="goal", serialization_alias="target")


@pytest.mark.parametrize("schema", [Aliased, TwoNames])
def test_a_schema_with_other_names_outside_is_answered_and_kept(ask, pretended, schema):
    pretended.behave = chat('<think>a or b?</think>{"goal": "a"}')
    model = ask()
    assert model.structure("?", schema, version="1").aim == "a"
    asked = len(pretended.requests)
    assert model.structure("?", schema, version="1").aim == "a"
    assert len(pretended.requests) == asked


# Several prompts in one request -------------------------------------------------------------------


def test_a_question_costs_one_request_once_the_tokens_of_its_answers_are_known(ask, pretended):
    pretended.behave = following(TABLE)
    model = ask()
    assert model.choose("1:", GOALS, version="1") == pytest.approx(SCORES)
    asked = len(pretended.requests)
    for number in range(2, 6):
        assert model.choose(f"{number}:", GOALS, version="1") == pytest.approx(SCORES)
    assert len(pretended.requests) == asked + 4
    assert sorted(prompt.partition(":")[2] for prompt in pretended.requests[-1]["prompt"]) == sorted(TABLE)


@pytest.mark.parametrize("most", [1, 2, 4])
def test_an_endpoint_that_takes_fewer_prompts_is_sent_fewer(ask, pretended, most):
    pretended.behave = following(TABLE, most)
    model = ask()
    for number in range(4):
        assert model.choose(f"{number}:", GOALS, version="1") == pytest.approx(SCORES)
    asked = len(pretended.requests)
    model.choose("9:", GOALS, version="1")
    assert len(pretended.requests) - asked <= -(-len(TABLE) // most) + 1


@pytest.mark.parametrize("kind", ["first prompt only", "an error of its own", "no word"])
def test_an_endpoint_that_cannot_read_several_prompts_is_asked_one_by_one(ask, pretended, kind):
    def behave(path, body):
        if isinstance(body["prompt"], str):
            return following(TABLE)(path, body)
        if kind == "first prompt only":
            return following(TABLE)(path, body | {"prompt": body["prompt"][0]})
        return (500, {"error": {"message": "TypeError"}}) if kind == "an error of its own" else (0, iter([b""]))

    pretended.behave = behave
    model = ask()
    for number in range(3):
        assert model.choose(f"{number}:", GOALS, version="1") == pytest.approx(SCORES)
    assert isinstance(pretended.requests[-1]["prompt"], str)


def test_an_answer_whose_later_token_is_not_told_is_not_taken_for_known(ask, pretended):
    """Both begin with a blank, which the model is sure of; what makes them differ it never says."""
    pretended.behave = following({"": {" ": -0.1, "\n": -3.0}, " ": {"x": -0.1}})
    with pytest.raises(Rejected, match="none of the answers"):
        ask().choose("Is it?:", [" good", " bad"], version="1")
    pretended.behave = following({"": {" ": -0.1, "\n": -3.0}, " ": {"good": -0.1}})
    scores = ask().choose("Is it now?:", [" good", " bad"], version="1")
    assert scores[" good"] == pytest.approx(-0.2)
    assert scores[" bad"] <= -0.2


# Secrets ------------------------------------------------------------------------------------------


def test_the_key_is_struck_out_of_whatever_the_endpoint_says(ask, pretended, monkeypatch, tmp_path, caplog):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    caplog.set_level(logging.DEBUG)
    model = ask()
    pretended.models = [KEY, "honest"]
    pretended.behave = completions({" yes\n": -0.5, " no\n": -2.0, KEY: -0.1})
    model.choose("Is it?", YES_NO, version="1")
    assert model.identity == "honest"
    pretended.behave = chat(f'{{"goal": "{KEY}"}}')
    assert KEY not in model.structure("?", Aliased, version="1").aim
    for status in (200, 400, 401, 403, 404, 500):
        pretended.behave = lambda *_, status=status: (status, f"<{KEY}>".encode())
        with pytest.raises((Unavailable, Rejected)) as raised:
            model.choose(f"Is it {status}?", YES_NO, version="1")
        assert KEY not in str(raised.value)
    model.close()
    assert KEY not in str(list(ResponseCache(tmp_path / "c.sqlite")))
    assert all(KEY.encode() not in file.read_bytes() for file in tmp_path.iterdir())
    assert KEY not in caplog.text


@pytest.mark.parametrize("written", [KEY.upper(), "".join(f"\\u{ord(letter):04x}" for letter in KEY)])
@pytest.mark.parametrize("status", [200, 400, 500])
def test_the_key_is_known_in_other_letters(ask, pretended, monkeypatch, written, status):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    pretended.behave = lambda *_: (status, f'{{"choices": [], "error": "{written}"}}'.encode())
    with pytest.raises((Unavailable, Rejected)) as raised:
        ask().choose("Is it?", YES_NO, version="1")
    assert KEY not in str(raised.value).lower()
    assert written not in str(raised.value)


def test_an_endpoint_whose_only_model_is_the_key_has_none(ask, pretended, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    pretended.models = [KEY]
    model = ask()
    with pytest.raises(Unavailable, match=r"lists no model; give llm\.model"):
        model.choose("Is it?", YES_NO, version="1")
    assert model.identity is None


def test_a_word_that_is_no_secret_is_not_struck_out_of_answers(ask, pretended, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    pretended.behave = following(TABLE)
    assert ask().choose("1:", GOALS, version="1") == pytest.approx(SCORES)
