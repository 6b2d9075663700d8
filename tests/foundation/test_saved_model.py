"""A model's file is read without running anything that stands in it."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from gymnasium import spaces
from stable_baselines3 import PPO
from stable_baselines3.common.envs import IdentityEnv

from foundation.plain_state import Untrusted
from foundation.saved_model import SavedModel
from tests.payload import Payload, pickled, with_attribute, with_weights


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "agent.zip"
    kwargs = {"net_arch": [8], "activation_fn": torch.nn.ReLU, "optimizer_class": torch.optim.SGD}
    PPO("MlpPolicy", IdentityEnv(dim=3), n_steps=8, batch_size=8, policy_kwargs=kwargs, seed=4).save(path)
    return path


@pytest.fixture
def file(written: Path, tmp_path: Path) -> Path:
    (tmp_path / "agent.zip").write_bytes(written.read_bytes())
    return tmp_path / "agent.zip"


def test_weights_numbers_spaces_and_classes_of_networks_are_read(file: Path) -> None:
    model, saved = PPO.load(file), SavedModel(file)
    assert saved.object("policy_class") is type(model.policy)
    assert saved.object("policy_kwargs")["activation_fn"] is torch.nn.ReLU
    assert saved.object("policy_kwargs")["optimizer_class"] is torch.optim.SGD
    assert saved.object("observation_space") == model.observation_space
    assert saved.object("action_space") == model.action_space
    assert saved.object("seed") == 4
    for name, tensor in model.policy.state_dict().items():
        assert torch.equal(saved.parameters["policy"][name], tensor)


SPACES = [
    spaces.Box(-1.0, np.array([1.0, 2.0], np.float32)),
    spaces.Box(0, 255, (3, 4, 4), np.uint8),
    spaces.Discrete(3, start=1),
    spaces.MultiDiscrete([2, 3]),
    spaces.MultiBinary(4),
    spaces.Dict({"a": spaces.Discrete(2), "b": spaces.Box(0, 1, (2,))}),
    spaces.Tuple([spaces.Discrete(2), spaces.Text(5)]),
]


@pytest.mark.parametrize("space", SPACES, ids=str)
@pytest.mark.parametrize("seeded", [False, True])
def test_every_kind_of_space_is_read_also_one_that_has_drawn(file: Path, space: Any, seeded: bool) -> None:
    if seeded:
        space.seed(3)
        space.sample()
    with_attribute(file, "observation_space", pickled(space))
    assert SavedModel(file).object("observation_space") == space


class Elsewhere(torch.nn.Module):
    """Of no package whose classes may be named."""


@pytest.mark.parametrize(
    ("value", "names"),
    [
        (Elsewhere, "Elsewhere"),
        (os.system, "system"),
        (eval, "eval"),
        (torch.load, "load"),
        (torch.nn.ReLU(), "not callable|_Named|type"),  # the class may be named, but nothing is made of it
        ([spaces.Discrete(2), {"deep": os.system}], "system"),
    ],
)
def test_anything_else_is_refused_by_its_name(file: Path, value: Any, names: str) -> None:
    with_attribute(file, "policy_class", pickled(value))
    with pytest.raises(Untrusted, match=names) as caught:
        SavedModel(file).object("policy_class")
    assert "trust=true" in str(caught.value)


def test_a_payload_is_not_run_unless_it_is_asked_for_and_trusted(file: Path, tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    with_attribute(file, "policy_class", pickled(Payload(marker)))
    saved = SavedModel(file)
    saved.object("seed")
    with pytest.raises(Untrusted, match="its policy_class is a pickle"):
        saved.object("policy_class")
    assert not marker.exists()
    saved.object("policy_class", trust=True)
    assert marker.exists()


def test_a_payload_among_the_weights_is_never_run(file: Path, tmp_path: Path) -> None:
    with_weights(file, Payload(tmp_path / "marker"))
    with pytest.raises(Untrusted, match="more than weights"):
        SavedModel(file)
    assert not (tmp_path / "marker").exists()


def test_a_name_in_the_archive_that_leads_out_of_it_writes_nothing(file: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr("../../slipped.txt", "out")
        archive.writestr("/slipped.txt", "out")
    SavedModel(file)
    assert not list(tmp_path.parent.glob("slipped*"))


@pytest.mark.parametrize("content", [b"", b"nothing", None])
def test_a_damaged_file_is_named(file: Path, content: bytes | None) -> None:
    file.write_bytes(file.read_bytes()[:700] if content is None else content)
    with pytest.raises(ValueError, match=r"agent\.zip is no file of a model, or it is damaged"):
        SavedModel(file)
    with pytest.raises(FileNotFoundError):
        SavedModel(file.with_name("none.zip"))
