"""The command that plays the text face, with a pretended endpoint, a script and chance."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from envs.swe.grading.predictions import read_predictions
from envs.swe.sandbox import bubblewrap
from scripts import play_swe
from scripts.swe.players import recent
from tests.envs.swe.text.repository import MEND, TASK, saved
from tests.shaping.endpoint import Endpoint, chat, endpoint


@pytest.fixture
def pretended() -> Iterator[Endpoint]:
    with endpoint() as server:
        yield server


@pytest.fixture
def command(tmp_path: Path) -> list[str]:
    if reason := bubblewrap.unavailable():
        pytest.skip(reason)
    tasks = saved(tmp_path)
    return [f"tasks={tasks}", "split=train", "sandbox=bubblewrap", f"out={tmp_path}/out", "count=1"]


def asking(pretended: Endpoint, tmp_path: Path) -> list[str]:
    return [f"llm.base_url={pretended.url}", f"llm.cache={tmp_path}/answers.sqlite", "llm.retries=0"]


def transcripts(tmp_path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (tmp_path / "out/transcripts.jsonl").read_text().splitlines()]


def test_a_model_that_mends_is_told_counted_and_kept(
    command: list[str], pretended: Endpoint, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    pretended.behave = chat(
        "I look.\n```\nopen calc.py\n```", "Hm.", f"<think>b?</think>So:\n{MEND}", "```\nsubmit\n```"
    )
    assert play_swe.main([*command, *asking(pretended, tmp_path)]) == 0
    out = capsys.readouterr().out
    assert "CR 100 % (1 of 1), MR 100 % (1 of 1), RR 100 % (1 of 1)" in out
    assert "invalid actions 25 % (1 of 4)" in out
    assert "--- turn 2: agent\nHm.\n--- environment (nothing)\nYour answer has no block" in out
    (episode,) = transcripts(tmp_path)
    assert [episode["agent"], episode["outcome"], len(episode["turns"])] == ["pretended", "pass", 4]
    turn = episode["turns"][2]
    assert turn["reply"] == f"So:\n{MEND}"
    assert [message["role"] for message in turn["prompt"]] == ["user", "assistant"] * 2 + ["user"]
    assert turn["prompt"][0]["content"] == episode["prompt"]
    assert turn["channels"] == {"format": 0.05, "action": 0.05, "edit": 0.1, "progress": 0.2}
    prediction = read_predictions(tmp_path / "out/predictions.jsonl")[TASK.id]
    assert prediction.model_name_or_path == "pretended"
    assert "-    return a - b\n+    return a + b\n" in prediction.model_patch
    assert json.loads((tmp_path / "out/report.json").read_text())["resolved"] == 1
    asked = len(pretended.requests)
    play_swe.main([*command, *asking(pretended, tmp_path), "llm.model=pretended"])
    assert len(pretended.requests) == asked  # all of it is in the cache


def test_what_was_played_is_kept_when_the_model_dies(
    command: list[str], pretended: Endpoint, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    answer = chat("```\nopen calc.py\n```", MEND, "```\nls\n```")
    left = [True] * 3

    def behave(path: str, body: dict[str, Any]) -> tuple[int, Any]:
        return answer(path, body) if left and left.pop() else (500, {"error": {"message": "out of memory"}})

    pretended.behave = behave
    assert play_swe.main([*command, *asking(pretended, tmp_path)]) == 1
    said = capsys.readouterr()
    assert "the language model gave no answer" in said.err
    assert "out of memory" in said.err
    assert "0 episodes with an outcome, 1 without" in said.out
    (episode,) = transcripts(tmp_path)
    assert [len(episode["turns"]), episode["outcome"]] == [3, None]
    assert "+    return a + b" in episode["patch"]
    assert read_predictions(tmp_path / "out/predictions.jsonl")[TASK.id].model_patch == ""  # it was not submitted


def test_the_script_resolves_what_its_candidates_reach_and_chance_plays_along(
    command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    assert play_swe.main([*command, "agent=scripted"]) == 0
    assert "RR 100 % (1 of 1)" in capsys.readouterr().out
    assert transcripts(tmp_path)[0]["turns"][0]["prompt"] == []
    assert play_swe.main([*command, "agent=random", "count=3"]) == 0
    said = capsys.readouterr()
    assert "has 1 tasks: each is played once" in said.err
    assert "random: 1 episodes with an outcome" in said.out


def test_a_prompt_keeps_its_beginning_and_its_end():
    messages = [{"role": "x", "content": f"{number}" * 10} for number in range(7)]
    assert recent(messages, 70) == messages
    assert recent(messages, 50) == [messages[0], *messages[3:]]
    assert recent(messages, 1) == [messages[0], messages[5], messages[6]]


@pytest.mark.parametrize(
    ("argument", "reason"),
    [
        ("agent=human", "expected one of llm"),
        ("count=0", "count=0"),
        ("sandbox=host", "expected one of auto"),
        ("llm.context=600", "leaves 88 tokens"),
        ("split=test", "split"),
        ("now", "unknown argument"),
        ("tusks=a", "Did you mean tasks"),
    ],
)
def test_nonsense_is_refused_before_anything_is_played(command: list[str], argument: str, reason: str):
    with pytest.raises(ValueError, match=reason):
        play_swe.main([*command, argument])
