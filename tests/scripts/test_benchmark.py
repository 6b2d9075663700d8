"""The benchmark's command line, table and clocks; its numbers are not tested, they are measured."""

from __future__ import annotations

import pytest

from scripts import benchmark


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
    text = benchmark.table({"rows": [row], "ratios": {"minihack_vs_stock": 2.0}})
    assert "| T | ours | 1,200 | 1,000 to 1,300 | 2.00 | stock |" in text
    assert "| `minihack_vs_stock` | 2.000 |" in text


def test_the_share_of_terms_is_a_share_and_leaves_the_training_as_it_was():
    training = benchmark.Training("ours", 1, ("potential", "events"))
    before = training.venv.step_wait
    assert 0 < benchmark.share_of_training(training, 1024) < 0.5
    assert training.venv.step_wait == before
    training.venv.close()
