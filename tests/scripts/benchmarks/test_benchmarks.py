"""The benchmark's command line, table and clocks; its numbers are not tested, they are measured."""

from __future__ import annotations

import json
import time

import pytest

from scripts import benchmark
from scripts.benchmarks import barfi, coding, profiling, quality_diversity, rocket
from scripts.benchmarks.learner import Learner, share_of_training
from scripts.benchmarks.profiling import Clocks
from scripts.benchmarks.turns import Arguments, table


def test_an_unknown_benchmark_or_a_senseless_size_is_refused_before_anything_is_measured():
    with pytest.raises(ValueError, match="One of throughput"):
        benchmark.main(["throughputs"])
    with pytest.raises(ValueError, match="at least 1"):
        benchmark.main(["throughput", "repeats=0"])


def test_the_table_has_every_row_and_every_ratio():
    row = {
        "task": "T",
        "path": "ours",
        "steps_per_second": 1200,
        "lowest": 1000,
        "highest": 1300,
        "ratio": 2.0,
        "against": "stock",
    }
    text = table({"rows": [row], "ratios": {"minihack_vs_stock": 2.0}})
    assert "| T | ours | 1,200 | 1,000 to 1,300 | 2.00 | stock |" in text
    assert "| `minihack_vs_stock` | 2.000 |" in text


def test_a_table_of_other_things_than_speeds_has_their_columns():
    row = {"task": "T", "questions": 160, "processor_seconds": 1.5}
    text = table({"rows": [row], "ratios": {"requests_per_question": 1.1}})
    assert "| task | questions | processor seconds |" in text
    assert "| T | 160 | 1.5 |" in text
    assert "| `requests_per_question` | 1.100 |" in text


def test_the_share_of_terms_is_a_share_and_leaves_the_training_as_it_was():
    learner = Learner("ours", 1, ("potential", "events"))
    before = vars(learner.venv).keys()
    assert 0 < share_of_training(learner, 1024) < 0.5
    assert 0 < share_of_training(learner, 1024) < 0.5, "counted anew"
    assert vars(learner.venv).keys() == before
    learner.venv.close()


def test_rocket_has_a_row_for_every_layer_and_a_ratio_for_every_claim(tmp_path, capsys):
    path = tmp_path / "rocket.json"
    assert benchmark.main(["rocket", "n_envs=2", "steps=40", "repeats=1", "rlgym=none", f"json={path}"]) == 0
    result = json.loads(path.read_text())
    layers = ["RocketSim's Arena.step alone", "ours, flat observation", "ours, Lucy observation"]
    layers += ["ours, Lucy observation and reward", "ours, Lucy observation and reward, 2 processes"]
    assert [(row["task"], row["path"]) for row in result["rows"]] == [(t, p) for t in ("1v1", "2v2") for p in layers]
    claims = ("flat_vs_raw", "full_vs_raw", "reward_adds")
    assert set(result["ratios"]) == {f"{claim}_{task}" for claim in claims for task in ("1v1", "2v2")}
    assert all(row["steps_per_second"] > 0 for row in result["rows"])
    assert "| `full_vs_raw_2v2` |" in capsys.readouterr().out


def test_rlgyms_speed_stands_against_one_process_and_against_all():
    medians = {rocket.RAW: 400.0, rocket.FLAT: 320.0, rocket.FULL: 300.0}
    medians |= {f"{rocket.FULL}, 2 processes": 450.0, rocket.RLGYM_PATH: 100.0}
    ratios = rocket.ratios(medians, 0.1, "1v1")
    assert (ratios["full_vs_raw_1v1"], ratios["full_vs_rlgym_1v1"]) == (0.75, 3.0)
    assert ratios["full_vs_rlgym_1v1_workers"] == 4.5
    with (
        pytest.raises(ValueError, match="expected install, none"),
        rocket.rlgym_python("nowhere/python"),
    ):
        pass


def test_a_clock_counts_no_time_of_the_clocks_in_it_and_goes_away_again():
    class Parts:
        def outer(self):
            time.sleep(0.02)
            self.inner()
            self.inner()

        def inner(self):
            time.sleep(0.05)

    parts, clocks = Parts(), Clocks()
    with clocks.around(parts, "outer", "outer"), clocks.around(parts, "inner", "inner"):
        parts.outer()
    measured = dict(clocks.seconds)
    assert 0.1 <= measured["inner"] < 0.2
    assert 0.02 <= measured["outer"] < 0.09
    parts.outer()
    assert clocks.seconds == measured


def test_the_profile_shares_all_of_a_training_out(monkeypatch, capsys):
    monkeypatch.setattr(profiling, "WARM_UP", 1)
    assert benchmark.main(["profile", "steps=1"]) == 0
    told = capsys.readouterr().out
    for part in ("the game", "reward terms", "acting: encoders", "update: encoders, back", "update: optimiser"):
        assert f"| {part} | " in told


def test_barfis_steps_are_timed_and_a_round_is_compared_with_reinforce(monkeypatch):
    monkeypatch.setattr(barfi, "STEPS", 400)
    monkeypatch.setattr(barfi, "CALLS", 1)
    measured = barfi.barfi(Arguments(repeats=1, train_steps=2048))
    assert len(measured["rows"]) == len(barfi.MODES) + 2
    assert all(row["ms"] > 0 for row in measured["rows"])
    assert measured["ratios"]["round_vs_reinforce"] > 1
    assert 0 < measured["ratios"]["combiner_share_scalar"] < 0.5
    assert "neumann" in table(measured)


def test_episodes_of_populations_are_timed_against_loops_and_searches_against_episodes(monkeypatch):
    monkeypatch.setattr(quality_diversity, "ROUNDS", 2)
    monkeypatch.setattr(quality_diversity, "BATCH", 20)
    monkeypatch.setattr(quality_diversity, "EVALUATIONS", 2_500)
    monkeypatch.setattr(quality_diversity, "LOOPED", {"Curling-v0": ("curling", 1)})
    measured = quality_diversity.quality_diversity(Arguments(repeats=1))
    assert len(measured["rows"]) == len(quality_diversity.WORLDS) + 2
    assert measured["ratios"]["curling_vs_loop"] > 5
    assert all(0 < measured["ratios"][f"search_share_{name}"] < 5 for name in quality_diversity.SEARCHES)
    assert 0.05 < measured["ratios"]["long_run_gib"] < 2
    assert "Point2D-v0" in table(measured)


def test_couplings_stand_against_heaps_of_plain_python_and_a_whole_message_is_timed(monkeypatch):
    monkeypatch.setattr(coding, "SECONDS", 0.001)
    monkeypatch.setattr(coding, "SIZES", ((16, 4), (256, 256)))
    measured = coding.coding(Arguments(repeats=1))
    assert measured["ratios"]["coupling_256x256_vs_heap"] > 2
    assert measured["ratios"]["seconds_of_an_episode_a_player"] > 0
    assert "couplings 16×4, two heaps" in table(measured)
