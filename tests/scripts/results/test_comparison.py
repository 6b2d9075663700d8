import json

import numpy as np
import pytest

from scripts.compare import compare, main
from scripts.results.comparison import Row, read_runs, read_twin
from scripts.results.curves import common_grid, read_progress, steps_to
from scripts.results.tables import table
from tests.scripts.synthetic import make_run


@pytest.fixture
def runs(tmp_path):
    for seed in range(3):
        make_run(tmp_path / "runs" / f"none-{seed}", seed=seed, level=0.03)
        make_run(tmp_path / "runs" / f"events-{seed}", seed=seed, shaping="events")
    return tmp_path / "runs"


def test_runs_that_differ_only_in_their_seed_are_one_arm(runs):
    rows, left_out = read_runs(sorted(runs.iterdir()))
    assert left_out == []
    assert {row.arm for row in rows} == {"events", "none"}
    assert sorted(row.seed for row in rows if row.arm == "none") == [0, 1, 2]


def test_a_setting_that_differs_makes_an_arm_and_names_it(tmp_path):
    a = make_run(tmp_path / "a", gamma=0.99)
    b = make_run(tmp_path / "b", gamma=0.9)
    rows, _ = read_runs([a, b])
    assert [row.arm for row in rows] == ["agent.gamma=0.99", "agent.gamma=0.9"]


def test_the_twin_redraws_the_same_table_and_the_picture(runs, tmp_path, capsys):
    out = tmp_path / "out"
    text = compare([str(runs / "*")], out)
    assert (out / "curves.png").stat().st_size > 1000
    assert (out / "rewards.png").stat().st_size > 1000
    main([str(out / "compare.json"), f"out={tmp_path / 'again'}"])
    assert capsys.readouterr().out.strip() == text.strip()
    assert (tmp_path / "again" / "compare.png").exists()
    rows = json.loads((out / "compare.json").read_text())["rows"]
    assert len(rows) == 6
    assert set(rows[0]) >= {"arm", "config", "seed", "metrics"}
    assert str(tmp_path) not in (out / "compare.json").read_text()


def test_unfinished_runs_and_other_folders_are_left_out_with_the_reason(runs, tmp_path):
    make_run(runs / "cut", seed=9, status="interrupted")
    (runs / "other").mkdir()
    make_run(runs / "twice", seed=0)
    text = compare([str(runs / "*")], tmp_path / "out")
    assert "its status is 'interrupted'" in text
    assert "other: no run directory" in text
    assert "a seed counts once" in text


def test_the_table_says_how_many_seeds_reached_a_level_and_copes_with_one_seed(runs):
    rows, _ = read_runs(sorted(runs.iterdir()))
    text = table([row for row in rows if row.arm == "none"])
    assert "never (0 of 3)" in text
    single = table([row for row in rows if row.seed == 0])
    assert "nan" not in single
    assert "| events | 1 |" in single


def test_episodes_to_a_level_are_told_as_steps_to_it_are():
    rows = [
        Row("a", seed, {}, {"final_return": 1.5, "episodes_to_80": reached}) for seed, reached in enumerate((400, None))
    ]
    rows += [Row("b", seed, {}, {"final_return": 0.0, "episodes_to_80": None}) for seed in (0, 1)]
    lines = table(rows).splitlines()
    assert lines[2].endswith("400 (1 of 2) |")
    assert lines[3].endswith("never (0 of 2) |")


def test_runs_of_a_task_without_success_are_compared_by_return(tmp_path):
    run = make_run(tmp_path / "a", success=False)
    text = compare([str(run)], tmp_path / "out", metric="success_rate")
    assert "no curves.png" in text
    assert "task return" in text
    compare([str(run)], tmp_path / "out", metric="task_return_mean")
    assert (tmp_path / "out" / "curves.png").exists()


def test_curves_of_unequal_length_meet_on_the_steps_that_all_cover():
    grid, values = common_grid(
        [
            (np.array([0.0, 10.0, 20.0]), np.array([0.0, 1.0, 2.0])),
            (np.array([5.0, 15.0]), np.array([5.0, np.nan])),
            (np.array([4.0, 12.0]), np.array([0.0, 8.0])),
        ],
        points=5,
    )
    assert (grid[0], grid[-1]) == (5.0, 5.0)
    grid, values = common_grid([(np.array([0.0, 10.0]), np.array([0.0, 1.0])), (np.array([2.0, 6.0]), np.zeros(2))], 5)
    assert grid.tolist() == [2, 3, 4, 5, 6]
    assert values[0] == pytest.approx(grid / 10)
    assert steps_to([1, 2, 3], [0.1, 0.9, 0.5], 0.8) == 2
    assert steps_to([1, 2, 3], [0.1, np.nan, 0.5], 0.8) is None


def test_a_lucky_first_episode_does_not_count_as_reaching_a_level(tmp_path):
    run = make_run(tmp_path / "a", level=0.02, shaping="events")
    lines = (run / "progress.csv").read_text().splitlines()
    cells = lines[1].split(",")
    cells[lines[0].split(",").index("rollout/success_rate")] = "1.0"
    (run / "progress.csv").write_text("\n".join([lines[0], ",".join(cells), *lines[2:], ""]))
    (row,), _ = read_runs([run])
    assert row.metrics["steps_to_80"] is None


def test_a_progress_line_that_a_kill_cut_short_is_not_read(tmp_path):
    run = make_run(tmp_path / "a", rows=5)
    with (run / "progress.csv").open("a") as file:
        file.write("30000,0.")
    columns = read_progress(run)
    assert len(columns["time/total_timesteps"]) == 5
    assert np.isnan(columns["train/value_loss"][0])


def test_what_cannot_be_compared_is_said(runs, tmp_path):
    with pytest.raises(FileNotFoundError, match="names no directory"):
        main([str(runs / "nothing*")])
    with pytest.raises(ValueError, match="success_rate, task_return_mean, stats"):
        main([str(runs / "*"), "metric=fun"])
    with pytest.raises(ValueError, match="expected run directories"):
        main([])
    make_run(tmp_path / "failed", status="failed")
    with pytest.raises(ValueError, match="none of 1 directories"):
        compare([str(tmp_path / "failed")], tmp_path / "out")
    (tmp_path / "bad.json").write_text('{"rows": []}')
    with pytest.raises(ValueError, match="no twin"):
        read_twin(tmp_path / "bad.json")


DAMAGE = {
    "choices.yaml": ["a: [", "[1, 2]", "\x00\x01"],
    "config.yaml": ["a: [", "3"],
    "summary.json": ["{", "[]", "{}", "null"],
    "evaluation.json": ["{", "[]"],
    "progress.csv": ["", "no,columns\n1,2\n"],
}


@pytest.mark.parametrize(("name", "text"), [(name, text) for name, texts in DAMAGE.items() for text in texts])
def test_a_damaged_file_of_one_run_leaves_that_run_out_and_names_the_file(runs, name, text):
    paths = sorted(runs.iterdir())
    (paths[0] / name).write_text(text)
    rows, left_out = read_runs(paths)
    assert len(rows) == len(paths) - 1
    [(path, reason)] = left_out
    assert path == paths[0]
    assert name in reason


def test_bytes_that_are_no_text_leave_a_run_out(runs):
    paths = sorted(runs.iterdir())
    for name, path in zip(DAMAGE, paths, strict=False):
        (path / name).write_bytes(b"\xff\xfe\x00")
    _, left_out = read_runs(paths)
    assert len(left_out) == min(len(paths), len(DAMAGE))


def test_a_place_that_cannot_be_written_is_said_before_anything_is_read(runs, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match=r"file/out cannot be made: .*file is a file"):
        compare([str(runs / "nothing*")], tmp_path / "file" / "out")
