"""The tool face: rules, masks, observations, outcomes, seeds, and training."""

from __future__ import annotations

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from stable_baselines3.common.env_checker import check_env as check_env_of_sb3

import envs
from envs.swe.rules import OUTCOMES, STATISTICS, Account, Rules, Turn, target_files
from envs.swe.task_source import tasks_of
from envs.swe.tasks.candidates import applied
from envs.swe.tools.sheets import Layout, Sheets, candidate_slots, file_slots
from envs.swe.tools.vec_env import FLAGS, Tools, task_of

ID = "breadcrumb/SweTools-v0"
LAYOUT = Layout()
TOOLS = Tools(LAYOUT)
REPORT = ("reward_channels", "stats")


def world(tasks_file, n=4, **kwargs):
    return envs.make_vec(ID, n, seed=kwargs.pop("seed", 3), report=REPORT, tasks=tasks_file, **kwargs)


def single(tasks_file, **kwargs):
    return gymnasium.make(ID, tasks=tasks_file, **kwargs).unwrapped


def legal(masks, rng):
    return np.array([rng.choice(np.flatnonzero(mask)) for mask in masks])


class Shadow:
    """An episode played by hand, by the rules alone: what the arrays should say."""

    def __init__(self, task, rules):
        self.task, self.account, self.rules = task, Account(rules, target_files(task)), rules
        self.files, self.candidates = file_slots(task, LAYOUT), candidate_slots(task, LAYOUT)
        self.opened, self.tree, self.edited, self.seen = -1, dict(task.files), False, False

    def play(self, action):
        """(channels, outcome or None) of a turn."""
        turn = self.turn(int(action))
        channels = self.account.channels(turn, self.tree != dict(self.task.files))
        if turn.kind == "submit":
            return channels, "empty" if self.tree == dict(self.task.files) else "submitted"
        return channels, "no_submit" if self.account.turns >= self.rules.max_turns else None

    def turn(self, action):
        if action == TOOLS.submit:
            return Turn("submit")
        if action in (0, TOOLS.search):
            self.seen = True
            return Turn("look" if action == 0 else "search")
        if action == TOOLS.test:
            return Turn("test")
        if action == TOOLS.undo:
            done, self.edited, self.tree = self.edited, False, dict(self.task.files)
            return Turn("undo", done)
        if action < TOOLS.search:
            slot = action - TOOLS.open
            if not self.seen or slot >= len(self.files):
                return Turn("open", False)
            self.opened = slot
            return Turn("open", path=self.files[slot])
        place = action - TOOLS.apply
        if self.opened < 0 or self.edited or place >= len(self.candidates[self.opened]):
            return Turn("edit", False)
        candidate = self.candidates[self.opened][place]
        self.tree, self.edited = applied(self.task, [candidate]), True
        return Turn("edit", path=candidate.path)


@pytest.mark.parametrize("masked", [True, False])
def test_every_turn_pays_what_the_rules_say(tasks_file, masked):
    rng = np.random.default_rng(0)
    venv, tasks = world(tasks_file, max_turns=12), tasks_of(tasks_file, "train")
    venv.reset()

    def begun(row):
        return Shadow(tasks[task_of(venv.reset_infos[row]["episode_seed"], len(tasks))], Rules(12))

    shadows = [begun(row) for row in range(4)]
    ended = set()
    for _ in range(150):
        masks = venv.action_masks()
        actions = legal(masks, rng) if masked else rng.integers(TOOLS.count, size=4)
        if rng.random() < 0.6:
            actions[actions == TOOLS.submit] = TOOLS.test
        _, rewards, dones, infos = venv.step(actions)
        for row, shadow in enumerate(shadows):
            channels, outcome = shadow.play(actions[row])
            assert infos[row]["reward_channels"] == pytest.approx(channels)
            assert dones[row] == (outcome is not None)
            if outcome is None:
                assert rewards[row] == 0
                continue
            told = infos[row]["outcome"]
            assert told in ("fail", "pass") if outcome == "submitted" else told == outcome
            assert rewards[row] == [-1, -0.5, 0, 1][OUTCOMES.index(told)]
            assert infos[row]["stats"] == pytest.approx(shadow.account.statistics(told))
            assert infos[row]["is_success"] == (told == "pass")
            ended.add(told)
            shadows[row] = begun(row)
    assert {"no_submit", "empty", "fail"} <= ended


def test_masks_rule_out_what_cannot_be_done_and_nothing_else(tasks_file):
    rng = np.random.default_rng(1)
    venv = world(tasks_file)
    venv.reset()
    for _ in range(100):
        masks = venv.action_masks()
        assert masks.any(axis=1).all()
        assert masks[:, [0, TOOLS.search, TOOLS.test, TOOLS.submit]].all()
        before = venv._invalid.copy()
        actions = rng.integers(TOOLS.submit, size=4)
        _, _, dones, _ = venv.step(actions)
        kept = ~dones
        assert ((venv._invalid - before)[kept] == ~masks[np.arange(4), actions][kept]).all()


def script(env, task, tested=True):
    """Actions that look, find the file, and try edits, those that mend last, until tests pass."""
    slots = candidate_slots(task, LAYOUT)
    files = file_slots(task, LAYOUT)
    path = next(path for path in task.reference if task.reference[path] != task.files[path])
    slot = files.index(path)
    right = [c.text == task.reference[path] for c in slots[slot]]
    yield from (0, TOOLS.search, TOOLS.open + slot)
    for place in sorted(range(len(right)), key=lambda place: right[place])[-2:]:
        yield TOOLS.apply + place
        if tested:
            yield TOOLS.test
        if not right[place]:
            yield TOOLS.undo
    yield TOOLS.submit


def test_a_script_that_ends_with_the_right_edit_resolves_every_task(tasks_file):
    env = single(tasks_file)
    for seed in range(12):
        _, info = env.reset(seed=seed)
        tasks = tasks_of(tasks_file, "train")
        task = tasks[task_of(info["episode_seed"], len(tasks))]
        for action in script(env, task):
            observation, reward, terminated, truncated, info = env.step(action)
        assert (terminated, truncated, reward, info["outcome"]) == (True, False, 1.0, "pass")
        assert info["stats"]["resolve_rate"] == 1
        assert observation[-2] == 1.0  # all visible tests passed when they were run last


def test_without_the_fix_no_edit_resolves_a_task(tasks_file):
    venv = world(tasks_file, fix=False)
    assert not venv.sheets.passed.any()
    assert world(tasks_file).sheets.passed.any(axis=1).all()


def test_running_out_of_turns_is_an_outcome_and_no_time_limit(tasks_file):
    venv = world(tasks_file, n=1, max_turns=3)
    venv.reset()
    for _ in range(3):
        _, rewards, dones, infos = venv.step(np.array([0]))
    assert dones[0]
    assert rewards[0] == -1
    assert infos[0]["TimeLimit.truncated"] is False
    assert infos[0]["outcome"] == "no_submit"
    assert infos[0]["stats"]["completion_rate"] == 0


def test_submitting_at_once_is_an_empty_change(tasks_file):
    venv = world(tasks_file, n=1)
    venv.reset()
    _, rewards, dones, infos = venv.step(np.array([TOOLS.submit]))
    assert (bool(dones[0]), float(rewards[0]), infos[0]["outcome"]) == (True, -0.5, "empty")
    assert infos[0]["reward_channels"] == {"completion": 0.2}


def test_the_state_knows_how_many_turns_are_left_only_where_it_is_asked_to(tasks_file):
    plain, counted = world(tasks_file, n=1), world(tasks_file, n=1, turn_counter=True)
    assert counted.observation_space.shape[0] == plain.observation_space.shape[0] + 1
    counted.reset()
    seen = [counted.step(np.array([0]))[0][0, -1] for _ in range(3)]
    assert seen == pytest.approx([0.05, 0.1, 0.15])
    plain.reset()
    first, second = (plain.step(np.array([0]))[0][0] for _ in range(2))
    assert np.array_equal(first, second)


def test_a_search_shows_the_files_and_an_open_file_its_candidates(tasks_file):
    venv = world(tasks_file, n=1)
    start = venv.reset()[0]
    files = slice(len(FLAGS) + LAYOUT.files, len(FLAGS) + 2 * LAYOUT.files)
    assert not start.any()
    assert venv.step(np.array([TOOLS.search]))[0][0, files].any()
    assert venv.step(np.array([TOOLS.open]))[0][0, files.stop :].any()


def test_seeds_decide_tasks_and_the_splits_share_none(tasks_file):
    def seen(split, seed):
        venv = world(tasks_file, n=8, split=split, seed=seed)
        venv.reset()
        return [info["episode_seed"] for info in venv.reset_infos], venv.sheets

    assert seen("train", 1)[0] == seen("train", 1)[0] != seen("train", 2)[0]
    assert not set(seen("train", 1)[0]) & set(seen("eval", 1)[0])
    train, held_out = tasks_of(tasks_file, "train"), tasks_of(tasks_file, "eval")
    assert not {task.id for task in train} & {task.id for task in held_out}
    assert len(seen("eval", 1)[1]) == len(held_out)


def test_gymnasiums_and_sb3s_checkers_have_nothing_to_say(tasks_file):
    check_env(single(tasks_file), skip_render_check=True)
    check_env_of_sb3(single(tasks_file))


def test_a_step_after_the_end_says_what_to_do(tasks_file):
    env = single(tasks_file)
    env.reset(seed=1)
    env.step(TOOLS.submit)
    with pytest.raises(RuntimeError, match="call reset"):
        env.step(0)


def test_what_was_done_can_be_seen(tasks_file):
    venv = world(tasks_file, n=1, render_mode="rgb_array")
    venv.reset()
    blank = venv.frame(0)
    venv.step(np.array([TOOLS.search]))
    assert venv.frame(0).shape == blank.shape == (240, 320, 3)
    assert not np.array_equal(venv.frame(0), blank)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"files": 1}, "files=2"),
        ({"candidates": 0}, "candidates"),
        ({"max_turns": 0}, "max_turns"),
        ({"outcomes": [1, 2]}, "4: no_submit, empty, fail, pass"),
        ({"outcomes": [0, 0, 0, float("nan")]}, "the worth of pass"),
        ({"workers": 2}, "workers=0"),
        ({"tasks": "nowhere.jsonl"}, "nowhere.jsonl"),
        ({"candidate": 6}, "candidates"),
    ],
)
def test_arguments_that_make_no_sense_are_refused(tasks_file, arguments, message):
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        envs.make_vec(ID, 4, **{"tasks": tasks_file, **arguments})


def test_a_damaged_file_of_sheets_is_refused(tmp_path):
    (tmp_path / "sheets.npz").write_bytes(b"PK\x03\x04 nothing")
    with pytest.raises(ValueError, match="holds no sheets"):
        Sheets.load(tmp_path / "sheets.npz")


def test_statistics_are_the_names_that_the_rules_give():
    assert tuple(Account(Rules(), frozenset()).statistics("empty")) == STATISTICS
