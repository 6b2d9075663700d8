"""The tool face's moves as texts: they earn, and they make the trees that they should."""

from __future__ import annotations

import pytest

from envs.swe.rules import target_files
from envs.swe.tasks.candidates import applied, candidates
from envs.swe.text.difference import difference
from envs.swe.text.env import SweTextEnv
from envs.swe.text.scripted import actions
from tests.envs.swe.text.conftest import Make
from tests.envs.swe.text.repository import TASK


def found():
    return candidates(TASK, "calc.py", 6, 0)


def test_a_script_earns_every_milestone_and_passes(env: SweTextEnv):
    (right,) = (one for one in found() if "a + b" in one.text)
    (wrong, *_) = (one for one in found() if "a + b" not in one.text)
    assert target_files(TASK) >= {"calc.py"}
    steps = [("list",), ("search",), ("open", "calc.py"), ("apply", wrong), ("test",), ("undo",), ("apply", right)]
    paid = []
    for action in actions(TASK, [*steps, ("test",), ("submit",)]):
        _, reward, _, _, info = env.step(action)
        paid.append(info["reward_channels"])
    assert [sum("progress" in channels for channels in paid), info["outcome"], reward] == [4, "pass", 1.0]
    assert info["stats"]["invalid_action_share"] == 0.0
    assert env.files["calc.py"] == right.text


def test_every_candidate_becomes_its_tree_and_undo_the_one_before(make: Make):
    env = make(max_turns=200)
    env.reset(seed=0)
    steps = [("open", "calc.py")]
    for candidate in found():
        steps += [("apply", candidate), ("undo",)]
    for step, action in zip(steps, actions(TASK, steps), strict=True):
        env.step(action)
        assert env.files == (applied(TASK, [step[1]]) if step[0] == "apply" else TASK.files)


def test_what_is_no_step_is_refused():
    with pytest.raises(ValueError, match="expected one of open, apply, list"):
        list(actions(TASK, [("jump",)]))
    with pytest.raises(ValueError, match="touches one that is there"):
        list(actions(TASK, [("apply", found()[0]), ("apply", found()[0])]))


def test_a_difference_applies_with_git(make: Make):
    env = make()
    env.reset(seed=0)
    after = dict(TASK.files) | {"calc.py": "x = 1\n", "notes.txt": "one\r\nthree", "new.txt": "a\nb"}
    del after["pkg/deep/other.py"]
    env.step("bash true")
    assert env._lent is not None
    env._lent.reset(TASK.files)
    patch = difference(TASK.files, after)
    applying = env._lent.execute(["git", "apply", "-"], stdin=patch.encode())
    assert applying.returncode == 0, applying.output
    assert {path: text.decode() for path, text in env._lent.tree().items()} == after
