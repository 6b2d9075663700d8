"""The comparison with peers: what is trained, counted and said; nothing is installed here."""

from __future__ import annotations

import functools
import json
import sys

import numpy as np
import pytest
import torch

from agents.features import CompactFeatures
from scripts import benchmark
from scripts.benchmarks.peers import comparison, outcome, trainings
from scripts.benchmarks.peers.key_room import EVENTS, key_room
from scripts.benchmarks.peers.network import PlainFeatures, weights
from scripts.benchmarks.peers.order import Order
from scripts.benchmarks.peers.played import Played, counted_key_room
from scripts.benchmarks.peers.throw_away import Mend, NotInstalled, reason, without_compiler_of_gpus
from scripts.benchmarks.peers.trainings import Unfinished, last_json, run


def training(row: str, seconds: float | None = None, speed: float | None = 100.0, failed: str | None = None):
    """A row of a result; reached after `seconds`, where they are given."""
    return {
        "row": row,
        "title": row.replace("_", " "),
        "seed": 0,
        "steps_per_second": None if failed else speed,
        "reached_steps": None if seconds is None else int(seconds * 100),
        "reached_seconds": seconds,
        "failed": failed,
    }


def test_an_unknown_row_or_a_senseless_rate_is_refused_before_anything_is_installed():
    with pytest.raises(ValueError, match="expected one of ours, sb3_stock"):
        benchmark.main(["peers", "only=sb4"])
    with pytest.raises(ValueError, match="success"):
        benchmark.main(["peers", "success=1.5"])
    with pytest.raises(ValueError, match="at least 1"):
        benchmark.main(["peers", "seeds=0"])


def test_both_worlds_pay_and_show_an_event_once_an_episode():
    ours, stock = key_room("ours"), key_room("stock")
    assert ours.observation_space == stock.observation_space
    assert ours.action_space == stock.action_space
    for game in (ours, stock):
        observation, _ = game.reset(seed=1)
        assert game.observation_space.contains(observation)
        assert not observation["events"].any()
        plain = game.env.step
        game.env.step = lambda action, plain=plain: (*plain(action)[:4], {"events": EVENTS[:1]})
        first, second = game.step(0), game.step(0)
        assert first[1] - second[1] == pytest.approx(1.0, abs=0.1)
        assert second[0]["events"].tolist() == [1.0, 0.0]
        observation, _ = game.reset()
        assert not observation["events"].any()
        game.close()


def test_stock_sees_the_events_that_our_game_reports():
    game = key_room("stock")
    game.reset(seed=1)
    events = game.env
    arrays = {key: array.copy() for key, array in events._arrays().items()}
    held = arrays["inv_glyphs"].copy()
    from envs.nethack.events import CLOSED_DOOR, SKELETON_KEY

    held[0, -1] = SKELETON_KEY
    key_now = {**arrays, "inv_glyphs": held}
    shut = arrays["glyphs"].copy()
    shut[0, 0, 0] = CLOSED_DOOR
    open_ = shut.copy()
    open_[0, 0, 0] = CLOSED_DOOR - 1
    for before, now, expected in (
        (arrays, key_now, ("picked_up_key",)),
        ({**arrays, "glyphs": shut}, {**arrays, "glyphs": open_}, ("opened_door",)),
        (arrays, arrays, ()),
    ):
        events._before, events._arrays = before, functools.partial(dict, now)
        assert events.step(0)[4]["events"] == expected
    game.close()


def test_the_peers_network_has_the_layers_of_ours():
    game = key_room("ours")
    space = game.observation_space
    ours, plain = CompactFeatures(space), PlainFeatures(space)
    assert weights(plain) == weights(ours)
    assert sorted(p.shape for p in plain.parameters()) == sorted(p.shape for p in ours.parameters())
    entries = {key: torch.as_tensor(np.stack([value] * 3)) for key, value in game.reset(seed=1)[0].items()}
    assert plain(entries).shape == ours(entries).shape == (3, PlainFeatures.size)
    floats = {key: value.float() for key, value in entries.items()}
    assert torch.equal(plain(floats), plain(entries)), "peers cast what they see"
    game.close()


def test_steps_are_counted_where_they_are_played_and_warm_up_is_not(tmp_path):
    played = Played(tmp_path, 2, 0.01)
    games = [
        counted_key_room("ours", str(tmp_path), 2, index, seed=3, warm_up=warm_up)
        for index, warm_up in enumerate((0, 4))
    ]
    for game in games:
        game.reset(seed=99)
    for _ in range(4):
        games[1].step(0)
    assert played.steps() == 0
    for _ in range(3):
        games[0].step(0)
        games[1].step(0)
    assert played.steps() == 6
    assert played.seconds() > 0
    assert played.reached() is None
    for game in games:
        game.close()


def test_the_rate_is_reached_with_the_episode_that_makes_it_so(tmp_path):
    played = Played(tmp_path, 1, 0.9)
    played._rows[0] = (1.0, 10.0, 20.0, 1.0)
    lines = tmp_path / "episodes.txt"
    lines.write_text("".join(f"{number >= 10} {number * 5} {10 + number}.0\n" for number in range(99)))
    assert played.reached() is None, "ninety-nine episodes"
    with lines.open("a") as file:
        file.write("True 500 120.5\nTrue 5")
    assert played.reached() == {"success_rate": 0.9, "episodes": 100, "steps": 500, "seconds": 110.5}


def test_an_order_survives_its_command_line(tmp_path):
    order = Order("stock", str(tmp_path), 3000, 0.05, 4)
    assert Order.read(order.command_line(), None) == order


def test_sb3_trains_and_answers(tmp_path):
    row = trainings.Row("SB3", "ours", "sb3_training")
    result = trainings.train(row, trainings.OUR_PYTHON, 2048, 0.9, 0, 200)
    assert result["steps"] == 2048
    assert result["reached"] is None
    assert 200_000 < result["weights"] < 220_000


def test_a_process_that_fails_or_hangs_says_so_in_one_line(tmp_path):
    with pytest.raises(Unfinished, match="ValueError: no way"):
        run([sys.executable, "-c", "raise ValueError('no way')"], tmp_path, 60)
    with pytest.raises(Unfinished, match="not done in 1 seconds"):
        run([sys.executable, "-c", "import time; time.sleep(60)"], tmp_path, 1)
    with pytest.raises(Unfinished, match="no result: hello"):
        last_json("hello")


def test_ratios_are_of_medians_and_never_reaching_is_infinitely_long():
    rows = [training("ours", seconds, 400.0) for seconds in (10.0, 12.0, 30.0)]
    rows += [training("sb3_stock", seconds) for seconds in (36.0, 60.0, None)]
    rows += [training("sb3_ours", seconds, 200.0) for seconds in (20.0, None, None)]
    rows += [training("puffer_ours", seconds, 250.0) for seconds in (24.0, 24.0, None)]
    rows += [training("puffer_stock", 1.0, 999.0)]
    assert outcome.ratios(rows) == {
        "seconds_vs_best_peer": 2.0,
        "seconds_vs_sb3_stock": 5.0,
        "steps_per_second_vs_best_peer": 1.6,
    }
    assert outcome.ratios([training("ours"), training("sb3_ours")]) == {"steps_per_second_vs_best_peer": 1.0}
    assert outcome.ratios([training("sb3_ours", 3.0)]) == {}


def test_the_table_says_who_never_got_there_and_who_failed():
    rows = [
        training("ours", 10.0, 1400.0),
        training("ours", 14.0, 1000.0),
        training("sb3_stock"),
        training("sb3_stock"),
    ]
    rows += [training("puffer_ours", failed="does not install: no | compiler")] * 2
    text = outcome.table({"success": 0.9, "rows": rows, "ratios": {"seconds_vs_sb3_stock": 2.0}})
    assert "| who | steps/s | steps to 90 % | seconds to 90 % | reached 90 % | remark |" in text
    assert "| ours | 1,200 | 1,200 | 12.0 | 2 of 2 |  |" in text
    assert "| sb3 stock | 100 | never | never | 0 of 2 |  |" in text
    assert "| puffer ours |  | never | never | 0 of 2 | does not install: no / compiler |" in text
    assert "| `seconds_vs_sb3_stock` | 2.000 |" in text


def test_the_command_goes_on_where_a_peer_does_not_install_and_takes_seeds_in_turn(tmp_path, monkeypatch, capsys):
    def refused(installation):
        raise NotInstalled("no such package")

    def trained(row, python, steps, success, seed, limit):
        if row.world == "stock":
            raise Unfinished("not done in 5 seconds")
        return {"steps": steps, "seconds": 2.0, "reached": {"steps": 50, "seconds": 1.0}, "weights": 7}

    monkeypatch.setattr(comparison, "throw_away_python", refused)
    monkeypatch.setattr(comparison, "train", trained)
    path = tmp_path / "peers.json"
    options = ["only=ours,sb3_stock,puffer_ours", "seeds=2", "steps=100", "limit=5", f"json={path}"]
    assert benchmark.main(["peers", *options]) == 0
    result = json.loads(path.read_text())
    assert [(row["row"], row["seed"]) for row in result["rows"]] == [
        (name, seed) for seed in range(2) for name in ("ours", "sb3_stock", "puffer_ours")
    ]
    assert result["rows"][0]["reached_steps"] == 50
    assert result["rows"][1]["failed"] == "not done in 5 seconds"
    assert result["rows"][2]["failed"] == "does not install: no such package"
    assert "| 0 of 2 | not done in 5 seconds |" in capsys.readouterr().out


def test_a_mend_changes_its_line_or_says_that_it_is_not_there(tmp_path):
    (tmp_path / "file.py").write_text("a = 1\n    b = 2\nc = 3\n")
    Mend("file.py", "    b = 2", "    b = 4").apply(tmp_path)
    assert (tmp_path / "file.py").read_text() == "a = 1\n    b = 4\nc = 3\n"
    with pytest.raises(NotInstalled, match="b = 2"):
        Mend("file.py", "    b = 2", "    b = 4").apply(tmp_path)
    with pytest.raises(NotInstalled, match=r"none\.py"):
        Mend("none.py", "x", "y").apply(tmp_path)


def test_pips_last_telling_line_is_the_reason():
    assert reason("") == "it ended without a word"
    assert reason("ERROR: No matching distribution found for x\n[notice] a new pip\n").startswith("ERROR: No matching")


def test_folders_with_a_compiler_of_gpus_leave_the_path(tmp_path):
    for folder in ("with", "without"):
        (tmp_path / folder).mkdir()
    (tmp_path / "with" / "nvcc").write_text("#!/bin/sh\n")
    (tmp_path / "with" / "nvcc").chmod(0o755)
    path = f"{tmp_path / 'with'}:{tmp_path / 'without'}"
    assert without_compiler_of_gpus({"PATH": path, "A": "b"}) == {"PATH": str(tmp_path / "without"), "A": "b"}
