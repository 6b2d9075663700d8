"""Somebody else's run is evaluated, gone on with and compared without running what it says."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from foundation.plain_state import Untrusted, read_state
from scripts import evaluate, plots
from scripts.compare import compare
from scripts.configuration.groups import RunConfig
from scripts.results.evaluation import evaluate_run
from scripts.running.run_directory import load_run
from scripts.running.trust import SIGNATURE, reaches
from scripts.train import main as train
from tests.payload import Payload, pickled, with_attribute, with_weights

QUIET = ["tracking=none", "evaluate_episodes=0", "torch_threads=1", "n_envs=2"]
PPO = [*QUIET, "env=classic/cartpole", "agent=ppo", "agent.net_arch=[4]", "agent.n_steps=16", "agent.batch_size=16"]
DQN = [*QUIET, "env=classic/cartpole", "shaping=none", "agent=dqn", "agent.net_arch=[4]", "agent.buffer_size=100"]
PAYS = """import numpy as np

def pays(observations, infos):
    return np.zeros(len(infos))
"""


def trained(path: Path, *arguments: str) -> Path:
    assert train([*arguments, f"run_dir={path}", "total_timesteps=64"]) == 0
    return path


@pytest.fixture(autouse=True, scope="module")
def undrawn() -> Iterator[None]:
    """No pictures after training: they take longer than it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("scripts.results.finish.plot_run", lambda path, trust: None)
        yield


@pytest.fixture(scope="module")
def honest(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("runs")
    return {
        "ppo": trained(folder / "ppo", *PPO, "shaping=count"),
        "dqn": trained(folder / "dqn", *DQN, "agent.learning_starts=20"),
    }


@pytest.fixture
def run(honest: dict[str, Path], tmp_path: Path) -> Callable[[str], Path]:
    """name -> a copy of an honest run, as if somebody had sent it."""

    def copy(name: str) -> Path:
        return Path(shutil.copytree(honest[name], tmp_path / "sent" / name))

    return copy


@pytest.fixture
def marker(tmp_path: Path) -> Path:
    return tmp_path / "marker"


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Another user, without the key that runs were signed with."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "another"))


@pytest.fixture
def code(tmp_path: Path, marker: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A module that can be imported, and then leaves its mark."""
    (tmp_path / "modules").mkdir()
    (tmp_path / "modules" / "sent_code.py").write_text(
        f"{PAYS}\nimport os\nos.makedirs({str(marker)!r}, exist_ok=True)\n"
    )
    monkeypatch.syspath_prepend(tmp_path / "modules")
    monkeypatch.delitem(sys.modules, "sent_code", raising=False)


def checkpoint(run: Path) -> Path:
    return max((run / "checkpoints").glob("step_*"))


def sealed(run: Path) -> None:
    """Every checkpoint's manifest fits its files again: an attacker can do that, too."""
    for folder in (run / "checkpoints").glob("step_*"):
        files = [file for file in sorted(folder.iterdir()) if file.name != "manifest.json"]
        manifest = json.loads((folder / "manifest.json").read_text())
        manifest["files"] = {
            file.name: {"bytes": file.stat().st_size, "sha256": hashlib.sha256(file.read_bytes()).hexdigest()}
            for file in files
        }
        (folder / "manifest.json").write_text(json.dumps(manifest))


def configured(run: Path, **settings: Any) -> None:
    """Change settings of a run's config.yaml; a double underscore goes into a group."""
    config = yaml.safe_load((run / "config.yaml").read_text())
    for name, value in settings.items():
        *groups, last = name.split("__")
        place = config
        for group in groups:
            place = place[group]
        place[last] = value
    (run / "config.yaml").write_text(yaml.safe_dump(config))


def refusals(run: Path, capsys: pytest.CaptureFixture[str], *trust: str) -> dict[str, str]:
    """What every command that reads a run says against it; "" where it does what it is for."""
    said = {}
    try:
        evaluate.main([str(run), "episodes=1", "gif=false", *trust])
        said["evaluate"] = ""
    except ValueError as error:
        said["evaluate"] = str(error)
    capsys.readouterr()
    code = train([f"resume={run}", "total_timesteps=128", *trust])
    said["train"] = capsys.readouterr().err
    assert (code == 0) is not said["train"].startswith("error"), said["train"]
    return said


# Pickles ------------------------------------------------------------------------------------------


def test_an_honest_run_of_elsewhere_needs_no_trust(
    run: Callable[[str], Path], elsewhere: None, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("ppo", "dqn"):
        assert refusals(run(name), capsys) == {"evaluate": "", "train": ""}


def test_what_a_run_keeps_is_read_by_torch_without_pickles(honest: dict[str, Path]) -> None:
    for path in honest.values():
        for file in checkpoint(path).glob("*.pt"):
            torch.load(file, weights_only=True)
        assert not (path / SIGNATURE).exists()  # nothing in it needs one


@pytest.mark.parametrize("protocol", [2, 4])
@pytest.mark.parametrize("raw", [False, True])
def test_a_payload_in_the_state_is_refused_unrun(
    run: Callable[[str], Path], marker: Path, capsys: pytest.CaptureFixture[str], protocol: int, raw: bool
) -> None:
    path = run("ppo")
    state = {**read_state(checkpoint(path) / "state.pt"), "seconds": Payload(marker)}
    if raw:
        (checkpoint(path) / "state.pt").write_bytes(pickle.dumps(state, protocol))
    else:
        torch.save(state, checkpoint(path) / "state.pt", pickle_protocol=protocol)
    sealed(path)
    for command, said in refusals(path, capsys).items():
        assert "holds more than plain values" in said, command
        assert "trust=true" in said
    assert not marker.exists()


def test_a_payload_in_a_replay_buffer_is_refused_unrun_and_nobody_who_only_plays_reads_it(
    run: Callable[[str], Path], marker: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = run("dqn")
    torch.save({"pos": 1, "full": False, "arrays": Payload(marker)}, checkpoint(path) / "replay.pt")
    sealed(path)
    said = refusals(path, capsys)
    assert said["evaluate"] == ""
    assert "replay.pt holds more than plain values" in said["train"]
    assert "trust=true" in said["train"]
    assert not marker.exists()


def test_a_payload_among_an_agents_attributes_is_never_read(
    run: Callable[[str], Path], marker: Path, code: None, capsys: pytest.CaptureFixture[str]
) -> None:
    path = run("ppo")
    for name in ("policy_class", "lr_schedule", "clip_range", "_n_updates", "_last_obs", "ep_info_buffer", "more"):
        with_attribute(checkpoint(path) / "agent.zip", name, pickled(Payload(marker)))
    with_attribute(checkpoint(path) / "agent.zip", "env", "sent_code:Env-v0")  # SB3 hands it to gymnasium.make
    sealed(path)
    assert refusals(path, capsys, "trust=true") == {"evaluate": "", "train": ""}
    assert not marker.exists()


def test_a_payload_in_place_of_a_space_is_refused_unrun_where_it_is_read(
    run: Callable[[str], Path], marker: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = run("ppo")
    with_attribute(checkpoint(path) / "agent.zip", "observation_space", pickled(Payload(marker)))
    sealed(path)
    said = refusals(path, capsys)
    assert "its observation_space is a pickle" in said["evaluate"]
    assert "trust=true" in said["evaluate"]
    assert said["train"] == ""  # the environment has spaces of its own
    assert not marker.exists()


def test_a_payload_among_the_weights_is_refused_unrun(
    run: Callable[[str], Path], marker: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = run("ppo")
    with_weights(checkpoint(path) / "agent.zip", Payload(marker))
    sealed(path)
    for said in refusals(path, capsys, "trust=true").values():
        assert "holds more than weights" in said
    assert not marker.exists()


def test_weights_of_another_agent_are_refused_with_both_named(run: Callable[[str], Path]) -> None:
    path = run("ppo")
    configured(path, agent__net_arch=[5])
    with pytest.raises(ValueError, match="are not those of the agent that is configured"):
        evaluate_run(path, episodes=1, gif=False)


class Honest:
    """An object that an honest run keeps."""


def test_a_state_that_has_to_be_unpickled_goes_on_where_it_is_trusted(
    run: Callable[[str], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    path = run("ppo")
    torch.save({**read_state(checkpoint(path) / "state.pt"), "more": Honest()}, checkpoint(path) / "state.pt")
    sealed(path)
    assert all("Honest" in said and "trust=true" in said for said in refusals(path, capsys).values())
    assert refusals(path, capsys, "trust=true") == {"evaluate": "", "train": ""}
    assert load_run(path).state()["shaping"]["steps"] == 128  # now there is a checkpoint of ours


# Code that a configuration names ------------------------------------------------------------------


NAMED = {
    "env__id": "sent_code:My/Env-v0",
    "env__kwargs": {"backend": {"made_by": ["sent_code:pays"]}},
    "env__potential__entry": "sent_code:pays",
    "shaping__terms": {"potential": {"potential": "sent_code:pays"}},
    "shaping__combiner__arguments": {"function": "sent_code:pays"},
    "shaping__task_transforms": [{"name": "clip", "by": "sent_code:pays"}],
    "agent__policy_kwargs": {"activation_fn": "sent_code:pays"},
}


@pytest.mark.parametrize("setting", NAMED)
def test_code_that_a_run_of_elsewhere_names_is_refused_with_the_entry(
    run: Callable[[str], Path], marker: Path, code: None, capsys: pytest.CaptureFixture[str], setting: str
) -> None:
    path = run("ppo")
    configured(path, **{setting: NAMED[setting]})
    for said in refusals(path, capsys).values():
        assert f"{setting.replace('__', '.')}" in said
        assert "sent_code:" in said
        assert "trust=true" in said
    assert not marker.exists()


@pytest.mark.usefixtures("code")
def test_code_of_ones_own_runs_and_that_of_others_only_where_it_is_trusted(
    tmp_path: Path, marker: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    terms = ["shaping=potential", "shaping.terms.potential.potential=sent_code:pays"]
    path = trained(tmp_path / "run", *PPO, *terms)
    assert (path / SIGNATURE).exists()
    configured(path, total_timesteps=65)
    assert refusals(path, capsys) == {"evaluate": "", "train": ""}

    own = os.environ["XDG_STATE_HOME"]
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "another"))
    shutil.rmtree(marker)
    monkeypatch.delitem(sys.modules, "sent_code")
    assert all("sent_code:pays" in said for said in refusals(path, capsys).values())
    with pytest.raises(Untrusted, match=r"shaping\.terms\.potential\.potential=sent_code:pays"):
        load_run(path)
    assert not marker.exists()
    assert refusals(path, capsys, "trust=true") == {"evaluate": "", "train": ""}
    assert marker.exists()
    assert refusals(path, capsys) == {"evaluate": "", "train": ""}  # it has become this user's own

    monkeypatch.setenv("XDG_STATE_HOME", own)
    assert all("was not made here" in said for said in refusals(path, capsys).values())


@pytest.mark.usefixtures("code")
def test_a_signature_holds_for_the_configuration_that_it_was_made_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    terms = ["shaping=potential", "shaping.terms.potential.potential=sent_code:pays"]
    path = trained(tmp_path / "run", *PPO, *terms)
    load_run(path)
    moved = Path(shutil.copytree(path, tmp_path / "moved"))
    load_run(moved)
    configured(path, shaping__terms__potential__potential="sent_code:other")
    with pytest.raises(Untrusted, match="sent_code:other"):
        load_run(path)
    key = tmp_path / "state" / "breadcrumb" / "key"
    shutil.copytree(Path(os.environ["XDG_STATE_HOME"]) / "breadcrumb", key.parent)
    monkeypatch.setenv("XDG_STATE_HOME", str(key.parents[1]))
    load_run(moved)
    key.chmod(0o644)  # others may have read it, so it says nothing
    with pytest.raises(Untrusted, match="not made here"):
        load_run(moved)


@pytest.mark.parametrize("writable", [True, False])
def test_the_key_is_the_users_alone_and_nothing_fails_where_it_cannot_be_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, writable: bool
) -> None:
    from scripts.running.trust import sign

    home = tmp_path / "home"
    if not writable:
        home.write_text("a file")
    monkeypatch.setenv("XDG_STATE_HOME", str(home))
    config = RunConfig()
    config.env.id = "mymodule:Env-v0"
    if not writable:
        with pytest.warns(UserWarning, match="trust=true"):
            sign(tmp_path, config, "seed: 1")
        assert not (tmp_path / SIGNATURE).exists()
        return
    sign(tmp_path, config, "seed: 1")
    key = home / "breadcrumb" / "key"
    assert key.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in key.parent.iterdir()] == ["key"]
    first = (tmp_path / SIGNATURE).read_text()
    sign(tmp_path, config, "seed: 1\ntotal_timesteps: 7")  # which a resume may change
    assert (tmp_path / SIGNATURE).read_text() == first
    sign(tmp_path, config, "seed: 2")
    assert (tmp_path / SIGNATURE).read_text() != first
    assert key.read_text().strip() not in first


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({}, []),
        ({"shaping__terms": {"potential": {"potential": "observation:where"}}}, []),
        ({"shaping__terms": {"events": {"weight": "piecewise(0:1,100:0)"}}}, []),
        ({"shaping__terms": {"potential": {"weight": "piecewise(0:1,100:0)", "potential": "explored"}}}, []),
        ({"agent__device": "cuda:1", "env__task": "Note: find the key"}, []),
        ({"env__kwargs": {"opponent": "self", "ratio": "10:3"}}, []),
        ({"shaping__terms": {"potential": {"potential": "my-module:f"}}}, ["shaping.terms.potential.potential"]),
        ({"env__kwargs": {"opponent": "a.zip", "trust": True}}, ["env.kwargs.trust"]),
        ({"env__kwargs": {"trust": False, "record_to": None}}, []),
        ({"env__kwargs": {"record_to": "/anywhere"}}, ["env.kwargs.record_to"]),
        ({"env__kwargs": {"des_file": "MAZE"}}, ["env.kwargs.des_file"]),
        ({"env__kwargs": {"trust": [[]]}}, ["env.kwargs.trust.0"]),
        ({"env__kwargs": {"trust": {"a": "x"}}}, ["env.kwargs.trust.a"]),
        ({"llm__base_url": "http://somewhere/v1"}, []),  # no term asks
        (
            {"shaping__terms": {"calm": {}}, "llm__base_url": "http://somewhere/v1", "llm__cache": "/x"},
            ["llm.base_url", "llm.cache"],
        ),
        ({"shaping__terms": {"oni": {}}, "llm__model_path": "sent.gguf"}, ["llm.model_path"]),
    ],
)
def test_what_reaches_beyond_a_run_is_known(run: Callable[[str], Path], settings: Any, named: list[str]) -> None:
    from scripts.running.run_directory import read_configuration

    path = run("ppo")
    configured(path, **settings)
    assert list(reaches(read_configuration(path)[0])) == named


def test_a_run_does_not_say_itself_that_it_is_trusted(run: Callable[[str], Path], code: None) -> None:
    path = run("ppo")
    configured(path, trust=True, shaping__terms={"potential": {"potential": "sent_code:pays"}})
    with pytest.raises(Untrusted, match="not made here"):
        load_run(path)


def test_trust_without_a_run_to_go_on_with_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert train(["env=classic/cartpole", "shaping=none", "trust=true"]) == 2
    assert "give it with resume=RUN" in capsys.readouterr().err


# Files that are read or written -------------------------------------------------------------------


@pytest.mark.parametrize("file", ["config.yaml", "choices.yaml"])
@pytest.mark.parametrize("trust", [(), ("trust=true",)])
def test_a_yaml_tag_makes_no_object(
    run: Callable[[str], Path], marker: Path, capsys: pytest.CaptureFixture[str], file: str, trust: tuple[str, ...]
) -> None:
    path = run("ppo")
    with (path / file).open("a") as stream:
        stream.write(f"more: !!python/object/apply:os.makedirs ['{marker}']\n")
    for command, said in refusals(path, capsys, *trust).items():
        assert "python/object/apply" in said, command
    assert not marker.exists()


def test_a_configuration_looks_nothing_up(run: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "of mine")
    path = run("ppo")
    configured(path, env__task="${oc.env:SECRET}")
    with pytest.raises(ValueError, match=r"env\.task=\$\{oc\.env:SECRET\}"):
        load_run(path, trust=True)


@pytest.mark.parametrize(
    "name", ["lock", "error.txt", "plots", "videos", "terms", "progress.csv", "wandb", "wandb/id.txt"]
)
def test_a_link_out_of_a_run_is_not_written_through(
    run: Callable[[str], Path], tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    path, outside = run("ppo"), tmp_path / "mine"
    outside.write_text("precious")
    place = path / name
    place.parent.mkdir(exist_ok=True)
    if place.is_dir():
        shutil.rmtree(place)
    place.unlink(missing_ok=True)
    place.symlink_to(outside)
    for said in refusals(path, capsys).values():
        assert f"{name} leads out of the run's folder" in said
        assert "trust=true" in said
    with pytest.raises(Untrusted, match="leads out of"):
        plots.main([str(path)])
    assert outside.read_text() == "precious"


def test_links_of_ones_own_are_followed_inside_a_run_to_it_and_where_they_are_trusted(
    run: Callable[[str], Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = run("ppo")
    shutil.move(path / "checkpoints", tmp_path / "large_disk")
    (path / "checkpoints").symlink_to(tmp_path / "large_disk")
    assert all("leads out of" in said for said in refusals(path, capsys).values())
    assert refusals(path, capsys, "trust=true") == {"evaluate": "", "train": ""}
    plots.main([str(path), "trust=true"])
    again = run("dqn")
    (again / "newest").symlink_to(checkpoint(again))
    (again / "wandb" / "logs").mkdir(parents=True)
    (again / "wandb" / "logs" / "core.log").symlink_to(tmp_path / "cache.log")  # as wandb has it
    latest = tmp_path / "latest"
    latest.symlink_to(again)
    load_run(latest)


@pytest.mark.parametrize("name", ["../../../outside.txt", "/etc/hostname", "..", "", "sub/file"])
def test_a_manifest_that_names_files_elsewhere_is_damaged(
    run: Callable[[str], Path], tmp_path: Path, name: str
) -> None:
    path = run("ppo")
    (tmp_path / "outside.txt").write_text("mine")
    for file in path.glob("checkpoints/*/manifest.json"):
        manifest = json.loads(file.read_text())
        manifest["files"][name] = {"bytes": 4, "sha256": hashlib.sha256(b"mine").hexdigest()}
        file.write_text(json.dumps(manifest))
    with (
        pytest.warns(UserWarning, match=rf"its manifest\.json names .*{name}, which lies outside"),
        pytest.raises(ValueError, match="no whole checkpoint"),
    ):
        load_run(path)


def test_a_comparison_reads_a_run_that_is_refused_elsewhere(
    run: Callable[[str], Path], marker: Path, code: None, tmp_path: Path
) -> None:
    path = run("ppo")
    (path / "checkpoints" / "x.pt").write_bytes(pickle.dumps(Payload(marker)))
    configured(path, shaping__terms={"potential": {"potential": "sent_code:pays"}})
    assert "ppo" in compare([str(path)], tmp_path / "compared")
    assert not marker.exists()
