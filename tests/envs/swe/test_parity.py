"""One script through both faces: the same channels, turn by turn, and the same outcome."""

from __future__ import annotations

import gymnasium
import pytest

from envs.swe.task_source import tasks_of
from envs.swe.tasks.task_set import TaskSet
from envs.swe.text.env import SweTextEnv
from envs.swe.text.scripted import Script
from envs.swe.tools.sheets import Layout, candidate_slots, file_slots
from envs.swe.tools.vec_env import Tools
from tests.envs.swe.tools.conftest import tasks_file  # noqa: F401  (a fixture)

LAYOUT = Layout()
TOOLS = Tools(LAYOUT)


def steps(task, mends):
    """(action of the tool face, step of the text face): looks, edits wrongly, tests, and again."""
    slots = candidate_slots(task, LAYOUT)
    path = next(path for path in task.reference if task.reference[path] != task.files[path])
    slot = file_slots(task, LAYOUT).index(path)
    right = next(p for p, candidate in enumerate(slots[slot]) if candidate.text == task.reference[path])
    wrong = next(p for p in range(len(slots[slot])) if p != right)
    yield 0, ("list",)
    yield TOOLS.search, ("search",)
    yield TOOLS.open + slot, ("open", path)
    yield TOOLS.test, ("test",)
    yield TOOLS.apply + wrong, ("apply", slots[slot][wrong])
    yield TOOLS.test, ("test",)
    if mends:
        yield TOOLS.undo, ("undo",)
        yield TOOLS.apply + right, ("apply", slots[slot][right])
        yield TOOLS.test, ("test",)
    yield TOOLS.submit, ("submit",)


@pytest.mark.parametrize("mends", [True, False])
def test_a_script_earns_the_same_in_words_and_by_tools(tasks_file, tmp_path, bubblewrap_pool, mends):  # noqa: F811
    for number, task in enumerate(tasks_of(tasks_file, "train")[:3]):
        alone = str(TaskSet((task,)).save(tmp_path / f"{number}.jsonl"))
        tools = gymnasium.make("breadcrumb/SweTools-v0", tasks=alone).unwrapped
        text = SweTextEnv(tasks=alone, sandbox="bubblewrap")
        tools.reset(seed=1)
        text.reset(seed=1)
        script = Script(task)
        for action, step in steps(task, mends):
            by_tools, in_words = tools.step(action), text.step(script.action(step))
            assert in_words[1:4] == by_tools[1:4], step
            assert in_words[4]["reward_channels"] == pytest.approx(by_tools[4]["reward_channels"]), step
        assert in_words[4]["stats"] == by_tools[4]["stats"]
        assert in_words[4]["outcome"] == by_tools[4]["outcome"]
        assert (in_words[4]["outcome"] == "pass") >= mends
        text.close()
