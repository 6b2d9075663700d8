import json
import os
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from foundation.demonstrations import Demonstrations
from foundation.registry import import_all
from scripts import experiments
from scripts.compare import main as compare
from scripts.experiments import reproduction
from scripts.experiments.claim import DEMONSTRATIONS, SEED, Comparison, claims
from scripts.experiments.reproduction import plan, reproduce, with_section
from scripts.reproduce import main
from tests.scripts.synthetic import make_run

SMALL = Comparison(
    title="Small",
    text="Two arms.",
    arms={"none": ("env=minihack/key_room", "shaping=none"), "shaped": ("env=minihack/key_room", "shaping=events")},
    total_timesteps=20_000,
    seeds=(0, 1, 2),
)
# Stands for scripts.train: makes the run directory that it is told to make, or fails on a seed.
TRAINER = """
import sys
from pathlib import Path
from tests.scripts.synthetic import make_run
options = dict(argument.split("=", 1) for argument in sys.argv[1:])
if options.get("seed") == "13":
    sys.exit("error: no luck")
if not Path(options.get("agent.demonstrations", ".")).exists():
    sys.exit("error: nothing to imitate")
make_run(Path(options["run_dir"]), shaping=options["shaping"], seed=int(options["seed"]))
"""


@pytest.fixture
def small(tmp_path, monkeypatch):
    """The experiment `small` with a trainer that takes no time; gives what was evaluated."""
    evaluated = []

    def evaluate_run(run_dir, episodes, gif):
        evaluated.append(run_dir.name)
        result = {"episodes": episodes, "success_rate": 0.5, "return_mean": 0.4}
        (run_dir / "evaluation.json").write_text(json.dumps(result))

    monkeypatch.setattr(reproduction, "evaluate_run", evaluate_run)
    monkeypatch.setattr(reproduction, "claims", lambda: {"small": SMALL})
    monkeypatch.setattr(reproduction, "RUNS", tmp_path / "runs")
    monkeypatch.setattr(reproduction, "_TRAIN", (sys.executable, "-c", TRAINER))
    return evaluated


@pytest.mark.parametrize(("cores", "given", "threads"), [(4, None, "2"), (1, None, "1"), (4, "3", "3")])
def test_runs_side_by_side_share_the_cores(small, tmp_path, monkeypatch, cores, given, threads):
    told = "import os; print('threads', os.environ['OMP_NUM_THREADS'], flush=True)"
    monkeypatch.setattr(reproduction, "_TRAIN", (sys.executable, "-c", told + TRAINER))
    monkeypatch.setattr(os, "cpu_count", lambda: cores)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    if given:
        monkeypatch.setenv("OMP_NUM_THREADS", given)
    reproduce("small", seeds=(0,), jobs=2, out=tmp_path / "docs")
    logs = [log.read_text() for log in (tmp_path / "runs").rglob("*.log")]
    assert len(logs) == 2
    assert all(f"threads {threads}\n" in log for log in logs)


def test_an_experiment_writes_its_twin_picture_and_section_and_runs_nothing_twice(small, tmp_path):
    out = tmp_path / "docs"
    rows = reproduce("small", jobs=2, out=out)
    twin = json.loads((out / "results" / "small.json").read_text())
    assert set(twin) == {"command", "rows"}
    assert twin["command"] == "python -m scripts.reproduce small"
    assert [(row["arm"], row["seed"]) for row in twin["rows"]] == [
        (a, s) for a in ("none", "shaped") for s in (0, 1, 2)
    ]
    wanted = (
        "success_rate task_return_mean steps seconds steps_per_second eval_success_rate eval_return_mean steps_to_80"
    )
    assert set(twin["rows"][0]["metrics"]) >= {*wanted.split(), "steps_to_90"}
    assert twin["rows"][0]["config"] == {"env": "minihack/key_room", "shaping": "none", "total_timesteps": 20000}
    assert str(tmp_path) not in (out / "results" / "small.json").read_text()
    assert (out / "results" / "small.png").exists()
    text = (out / "results.md").read_text()
    assert text.count("<!-- small -->") == text.count("<!-- /small -->") == 1
    assert "| shaped | 3 |" in text
    assert len(rows) == len(small) == 6

    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "runs").rglob("progress.csv")}
    reproduce("small", out=out)
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "runs").rglob("progress.csv")} == before
    assert len(small) == 6
    assert (out / "results.md").read_text() == text


def test_the_runs_of_a_seed_are_measured_together_and_drawn(small, tmp_path, monkeypatch):
    met, drawn = [], []

    def together(runs):
        met.append({arm: run.name for arm, run in runs.items()})
        return {arm: {"points_against_others": float(len(runs[arm].name))} for arm in runs}

    def draw(rows, path):
        drawn.append([row.metrics["points_against_others"] for row in rows])
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")

    contest = replace(SMALL, together=together, draw=draw, picture="points", goals=True)
    monkeypatch.setattr(reproduction, "claims", lambda: {"small": contest})
    rows = reproduce("small", out=tmp_path / "docs")
    assert met == [{"none": f"none-{seed}", "shaped": f"shaped-{seed}"} for seed in (0, 1, 2)]
    assert drawn == [[6.0] * 3 + [8.0] * 3]
    assert [row.metrics["goal_rate"] for row in rows] == [0.5] * 6
    text = (tmp_path / "docs" / "results.md").read_text()
    assert "points against others |" in text
    assert "![Small: points](results/small.png)" in text


def test_each_seeds_runs_learn_from_demonstrations_of_their_own_and_the_expert_is_an_arm(small, tmp_path, monkeypatch):
    imitation = replace(
        SMALL,
        arms={"cloned": ("shaping=none", f"agent.demonstrations={DEMONSTRATIONS}"), "none": ("shaping=none",)},
        seeds=(0, 1),
        demonstrations=("scripted", "env=classic/point_mass", "episodes=2", "n_envs=2", f"seed={SEED}"),
        told={"length": ("train/of_others", "rollout/ep_len_mean"), "unknown": ("train/of_nobody",)},
    )
    monkeypatch.setattr(reproduction, "claims", lambda: {"small": imitation})
    rows = reproduce("small", out=tmp_path / "docs")
    assert [(row.arm, row.seed) for row in rows] == [(a, s) for a in ("expert", "cloned", "none") for s in (0, 1)]
    recorded = [Demonstrations.load(tmp_path / "runs" / "small" / f"demonstrations-{seed}.npz") for seed in (0, 1)]
    assert [row.metrics["task_return_mean"] for row in rows[:2]] == [
        pytest.approx(demonstrations.returns.mean(), abs=1e-4) for demonstrations in recorded
    ]
    assert recorded[0].returns[0] != recorded[1].returns[0]
    assert rows[2].config["agent.demonstrations"] == DEMONSTRATIONS, "no path of this machine"
    assert rows[2].metrics["length"] > 0
    assert rows[2].metrics["unknown"] is None
    text = (tmp_path / "docs" / "results.md").read_text()
    assert "`python -m scripts.record_demonstrations scripted env=classic/point_mass" in text
    expert = next(line for line in text.splitlines() if line.startswith("| expert | 2 |"))
    assert "never" not in expert


def test_failed_runs_are_named_and_nothing_is_written(small, tmp_path, capsys):
    assert main(["small", "seeds=12,13", f"out={tmp_path / 'docs'}"]) == 1
    error = capsys.readouterr().err
    assert "2 of 4 runs failed" in error
    assert "shaped with seed 13" in error
    assert not (tmp_path / "docs").exists()
    assert "no luck" in (tmp_path / "runs" / "small" / "none-13.log").read_text()


def test_an_interrupted_run_goes_on_and_one_without_a_checkpoint_starts_anew(tmp_path):
    job = plan(SMALL, [0], 20_000, tmp_path)[0]
    assert job.command()[-1] == f"run_dir={job.run_dir}"
    make_run(job.run_dir, status="interrupted")
    (job.run_dir / "checkpoints" / "step_000000010000").mkdir(parents=True)
    assert job.command()[-1] == f"resume={job.run_dir}"
    (job.run_dir / "checkpoints" / "step_000000010000").rmdir()
    assert job.command()[-1] == f"run_dir={job.run_dir}"
    assert not job.run_dir.exists()
    make_run(job.run_dir)
    assert job.command() is None


def test_a_run_of_another_length_is_not_taken_for_this_experiments(tmp_path):
    job = plan(SMALL, [0], 30_000, tmp_path)[0]
    make_run(job.run_dir, steps=20_000)
    with pytest.raises(ValueError, match="20000 steps"):
        job.command()


def test_a_section_is_replaced_between_its_markers_and_the_rest_stays():
    text = with_section("# Results\n", "a", "one")
    text = with_section(text, "b", "two")
    text = with_section(text, "a", "three")
    assert text == "# Results\n\n<!-- a -->\nthree\n<!-- /a -->\n\n<!-- b -->\ntwo\n<!-- /b -->\n"
    with pytest.raises(ValueError, match="<!-- /a -->"):
        with_section("<!-- a -->", "a", "x")


def test_every_file_that_states_a_claim_is_one_and_no_file_lists_them():
    sources = {path.stem.replace("_", "-"): path.read_text() for path in Path(experiments.__file__).parent.glob("*.py")}
    stated = {name for name, text in sources.items() if "\nCLAIM = " in text}
    assert set(claims()) == stated
    for module in ("claim", "reproduction"):
        assert sum(f'"{name}"' in sources[module] for name in stated) == 0


def test_the_foundations_arms_and_an_unknown_name(capsys):
    assert set(claims()["foundation"].arms) == {"none", "shaped"}
    assert claims()["foundation"].seeds == (200, 201, 202, 203, 204)
    with pytest.raises(ValueError, match="Did you mean foundation"):
        reproduce("fundation")
    assert main([]) == 0
    assert "fast-path" in capsys.readouterr().out


DROPPED = '''
"""Ten runs of nothing."""

from scripts.experiments.claim import Comparison
from scripts.experiments.key_room_settings import KEY_ROOM

CLAIM = Comparison(
    title="A dropped file",
    text="Is a claim.",
    arms={
        "none": (*KEY_ROOM, "shaping=none"),
        "shaped": (*KEY_ROOM, "shaping=events"),
    },
    total_timesteps=20_000,
    seeds=(7,),
)
'''


def test_a_file_dropped_into_the_folder_is_a_claim_and_the_settings_of_several_are_none(
    small, tmp_path, monkeypatch, capsys
):
    (tmp_path / "dropped_file.py").write_text(DROPPED)
    monkeypatch.setattr(experiments, "__path__", [*experiments.__path__, str(tmp_path)])
    monkeypatch.setattr(reproduction, "claims", claims)
    import_all.cache_clear()
    try:
        assert "dropped-file" in claims()
        assert "key-room-settings" not in claims()
        assert main([]) == 0
        assert "A dropped file (2 runs)" in capsys.readouterr().out
        assert main(["dropped-file", f"out={tmp_path / 'docs'}"]) == 0
        assert "| shaped | 1 |" in capsys.readouterr().out
        twin = json.loads((tmp_path / "docs" / "results" / "dropped-file.json").read_text())
        assert twin["command"] == "python -m scripts.reproduce dropped-file"
        assert [row["seed"] for row in twin["rows"]] == [7, 7]
        assert (tmp_path / "docs" / "results" / "dropped-file.png").exists()
        assert "## A dropped file" in (tmp_path / "docs" / "results.md").read_text()
        compare([str(tmp_path / "docs" / "results" / "dropped-file.json")])
        assert "| shaped | 1 |" in capsys.readouterr().out
        with pytest.raises(ValueError, match="Did you mean dropped-file"):
            reproduce("droped-file")
    finally:
        import_all.cache_clear()
        sys.modules.pop("scripts.experiments.dropped_file", None)
        vars(experiments).pop("dropped_file", None)
