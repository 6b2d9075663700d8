"""The environment: what an episode pays, how it ends, and what no agent finds out."""

from __future__ import annotations

import gc
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import gymnasium
import pytest
from gymnasium.error import ResetNeeded
from gymnasium.utils.env_checker import check_env

from envs.swe.rules import STATISTICS
from envs.swe.sandbox import providers
from envs.swe.sandbox.worker_sandbox import WorkerSandbox
from envs.swe.text.env import SweTextEnv
from envs.swe.text.shell import Shell
from tests.envs.swe.text.conftest import Make
from tests.envs.swe.text.repository import BUG, MARKS, MEND, SUITE, TASK, saved


def played(env: SweTextEnv, *actions: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
    """The last step of some."""
    assert actions
    for action in actions:
        last = env.step(action)
        assert env.observation_space.contains(last[0])
    return last


def earned(env: SweTextEnv, *actions: str) -> list[dict[str, float]]:
    return [env.step(action)[4]["reward_channels"] for action in actions]


def test_gymnasium_finds_nothing_wrong(make: Make):
    check_env(make(render_mode="ansi"), skip_render_check=True)
    assert isinstance(make(), gymnasium.Env)


def test_a_mended_bug_is_worth_one_on_the_last_turn_alone(env: SweTextEnv):
    observation, reward, terminated, truncated, info = played(env, "open calc.py", MEND)
    assert (reward, terminated, truncated, set(info)) == (0.0, False, False, {"reward_channels"})
    observation, reward, terminated, truncated, info = played(env, "submit")
    assert (observation, reward, terminated, truncated) == ("submitted", 1.0, True, False)
    assert info["outcome"] == "pass"
    assert info["is_success"] is True
    assert info["episode_seed"] == 0
    assert set(info["stats"]) == set(STATISTICS)
    assert info["reward_channels"] == {"completion": 0.2}


@pytest.mark.parametrize(
    ("actions", "outcome", "reward"),
    [
        (("submit",), "empty", -0.5),
        (("open calc.py", MEND, "undo", "submit"), "empty", -0.5),
        (("str_replace_editor create new.py --file_text 'x = 1'", "submit"), "empty", -0.5),
        (("open calc.py", "edit 2:2\n    return a * b\nend_of_edit", "submit"), "fail", 0.0),
        (("bash rm calc.py", "submit"), "fail", 0.0),
        (("bash sed -i 's/a - b/a + b/' calc.py", "submit"), "pass", 1.0),
        (("ls",) * 4, "no_submit", -1.0),
        (("ls", "ls", "ls", "submit"), "empty", -0.5),
    ],
)
def test_an_episode_comes_to_one_of_four_outcomes(make: Make, actions: Sequence[str], outcome: str, reward: float):
    env = make(max_turns=4)
    env.reset(seed=0)
    _, paid, terminated, truncated, info = played(env, *actions)
    assert (info["outcome"], paid, terminated, truncated) == (outcome, reward, True, False)
    assert info["stats"][f"outcome_{outcome}"] == 1.0


def test_critics_pay_by_the_shared_rules(env: SweTextEnv):
    well, milestone = {"format": 0.05, "action": 0.05}, {"progress": 0.2}
    assert earned(env, "run_tests", "search_dir add", "search_dir add") == [well, well | milestone, well]
    assert earned(env, "open notes.txt", "open calc.py", "open calc.py") == [well, well | milestone, well]
    assert earned(env, "nonsense", "```\nnonsense\n```", "goto 99") == [{}, {"format": 0.05}, {"format": 0.05}]
    assert earned(env, MEND, "run_tests", "undo", MEND) == [well | milestone | {"edit": 0.1}, well | milestone] + 2 * [
        well
    ]
    assert earned(env, "bash true", "bash nonesuch") == [well, {"format": 0.05}]


def test_three_format_errors_in_a_row_end_an_episode(env: SweTextEnv):
    for action in ("no", "no", "ls", "no", "```\nvim\n```", "no"):
        assert not env.step(action)[2]
    env.step("no")
    _, reward, terminated, _, info = env.step("x" * 200_000)
    assert (reward, terminated, info["outcome"]) == (-1.0, True, "no_submit")


def test_a_lost_sandbox_truncates_and_is_never_scored(env: SweTextEnv):
    played(env, "bash echo 1 > new.txt")
    assert env._lent is not None
    env._lent.close()
    _, reward, terminated, truncated, info = env.step("bash ls")
    assert (reward, terminated, truncated, info["sandbox_lost"]) == (0.0, False, True, True)
    assert not {"outcome", "stats", "is_success"} & set(info)
    with pytest.raises(ResetNeeded):
        env.step("ls")
    env.reset()
    assert played(env, "bash ls")[0] == "calc.py\nnotes.txt\npkg"


def test_grading_without_a_sandbox_is_a_loss_and_no_verdict(env: SweTextEnv):
    played(env, "open calc.py", MEND)
    env._desk.judge.close()
    _, reward, terminated, truncated, info = env.step("submit")
    assert (reward, terminated, truncated, "outcome" in info) == (0.0, False, True, False)


def test_a_tree_that_no_sandbox_takes_fails(env: SweTextEnv, monkeypatch: pytest.MonkeyPatch):
    played(env, "open calc.py", MEND)

    def grade(task: Any, tree: Any) -> None:
        raise ValueError("No space left on device")

    monkeypatch.setattr(env._desk.judge, "grade", grade)
    assert env.step("submit")[4]["outcome"] == "fail"


def test_a_step_after_the_end_or_before_the_beginning_is_an_error(make: Make):
    env = make()
    for _ in range(2):
        with pytest.raises(ResetNeeded, match="call reset"):
            env.step("ls")
        env.reset()
        env.step("submit")


def test_the_seed_decides_the_order_of_a_splits_tasks(make: Make):
    tasks = [replace(TASK, id=f"calc.{k}", split="eval" if k < 8 else "train") for k in range(10)]
    env = make(*tasks, split="eval")

    def order(seed: int | None) -> list[str]:
        first = [env.reset(seed=seed)[1]["task_id"]]
        return first + [env.reset()[1]["task_id"] for _ in range(7)]

    assert order(3) == order(3) != order(4)
    assert set(order(5)) == {f"calc.{k}" for k in range(8)}
    assert env.count == 8
    with pytest.raises(ValueError, match="split"):
        make(*tasks, split="test")


def test_what_is_hidden_is_in_no_observation_and_on_no_disk_that_an_agent_sees(
    make: Make, monkeypatch: pytest.MonkeyPatch
):
    sent: list[Any] = []
    execute, reset = WorkerSandbox.execute, WorkerSandbox.reset

    def seen_execute(self, argv, seconds=None, stdin=b""):
        sent.append((argv, stdin))
        return execute(self, argv, seconds, stdin)

    def seen_reset(self, tree):
        sent.append(tree)
        return reset(self, tree)

    monkeypatch.setattr(WorkerSandbox, "execute", seen_execute)
    monkeypatch.setattr(WorkerSandbox, "reset", seen_reset)
    env = make(render_mode="ansi", max_turns=50)
    env.reset(seed=0)
    everything = "cat /proc/[0-9]*/environ /proc/[0-9]*/cmdline; find /repo /tmp /dev/shm -type f -exec cat {} +"
    played(
        env, f"bash {everything} 2>/dev/null; env", "ls", "search_dir hidden", "search_dir mark", "find_file *",
        "open calc.py", "run_tests", "run_tests calc::hidden_case[2]", "run_tests calc::add[3]", MEND, "run_tests",
        "edit 2:2\n    import os; raise ValueError(str(dict(os.environ)))\nend_of_edit", "run_tests", "undo",
        f"bash {everything} 2>/dev/null", "bash git log --all",
    )  # fmt: skip
    told = "\n".join(text for speaker, text in env.transcript if speaker == "environment")
    for mark in MARKS:
        assert mark not in told.replace("'hidden' in", "").replace("no test 'calc::hidden_case[2]'", "")
        assert mark not in repr(sent)
    assert "calc::add[3]" not in told.replace("no test 'calc::add[3]'", "")
    assert played(env, "submit")[4]["outcome"] == "pass"
    assert "7700011" in repr(sent)  # grading asks for it, and compares here
    assert "7700012" not in repr(sent)


def test_hidden_and_unknown_tests_are_refused_in_the_same_words(env: SweTextEnv):
    hidden, unknown = (env.step(f"run_tests {name}")[0].replace(name, "X") for name in ("calc::add[3]", "calc::no"))
    assert hidden == unknown
    assert "no test 'X'" in hidden


def test_the_transcript_is_what_was_said(env: SweTextEnv):
    played(env, "ls")
    text = env.render()
    assert text is not None
    assert text.startswith("--- environment\nA repository of Python programs has a bug.")
    assert text.endswith("--- agent\nls\n\n--- environment\ncalc.py\nnotes.txt\npkg/")
    assert env.patch() == ""


def test_any_text_may_be_an_action(env: SweTextEnv):
    for action in (
        "\ud800",
        "\0",
        "bash \ud800 \0",
        "```\nedit 1:1\n\ud800\nend_of_edit\n```",
        "search_dir é",
        "ls \0",
    ):
        assert not env.step(action)[2]
    played(env, "str_replace_editor create é.txt --file_text 'é \U0001f41e'")
    assert played(env, "bash cat é.txt")[0] == "\\xe9 \\U0001f41e"


def test_sandboxes_end_with_the_environment(make: Make, tmp_path: Path):
    def sandboxes_of_ours() -> int:
        children = Path(f"/proc/{os.getpid()}/task").glob("*/children")
        return sum(len(path.read_text().split()) for path in children)

    gc.collect()
    before = sandboxes_of_ours()
    env = make()
    env.reset(seed=0)
    played(env, "bash true", "run_tests")
    assert sandboxes_of_ours() > before
    env.close()
    env.close()
    assert sandboxes_of_ours() == before
    forgotten = SweTextEnv(saved(tmp_path), sandbox="bubblewrap")
    forgotten.reset(seed=0)
    played(forgotten, "bash true")
    del forgotten
    gc.collect()
    assert sandboxes_of_ours() == before


def test_without_a_sandbox_there_is_no_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(providers, "available", lambda: {"docker": "no Engine answers", "bubblewrap": "no bwrap"})
    with pytest.raises(ValueError, match=r"never run on the host.*no Engine answers.*apt-get install bubblewrap"):
        SweTextEnv(saved(tmp_path))
    with pytest.raises(ValueError, match="expected one of auto"):
        SweTextEnv(saved(tmp_path), sandbox="host")


def test_auto_takes_the_first_provider_whose_sandboxes_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def make_sandbox(name: str, image: str = "") -> Any:
        if name == "docker":
            raise ValueError("its image is gone")
        return type("Fake", (), {"close": lambda self: None})()

    monkeypatch.setattr(providers, "available", lambda: {"docker": "", "bubblewrap": ""})
    monkeypatch.setattr(providers, "make_sandbox", make_sandbox)
    assert providers.provider("auto") == "bubblewrap"


@pytest.mark.parametrize("arguments", [{"max_turns": 0}, {"outcomes": (1, 2)}, {"render_mode": "human"}])
def test_nonsense_is_refused_at_construction(make: Make, arguments: dict[str, Any]):
    with pytest.raises(ValueError):
        make(**arguments)


def test_a_task_that_is_judged_by_a_suite_is_played_alike(make: Make):
    env = make(SUITE)
    env.reset(seed=0)
    text = played(env, "run_tests")[0]
    assert text == "1 of 2 tests passed\nFAILED tests/test_calc.py::test_mended"
    assert "PASSED tests/test_calc.py::test_kept" in played(env, "run_tests tests/test_calc.py::test_kept")[0]
    assert "1 failed" in played(env, "bash python -m pytest -q tests | tail -1")[0]
    assert played(env, "open calc.py", MEND, "run_tests")[0] == "2 of 2 tests passed"
    assert played(env, "submit")[4]["outcome"] == "pass"


def test_a_shell_is_taken_when_it_is_first_needed(env: SweTextEnv):
    assert env._lent is None
    played(env, "ls", "run_tests")
    assert env._lent is None
    assert isinstance(env._desk.shell, Shell)
    assert env.files["calc.py"] == BUG
