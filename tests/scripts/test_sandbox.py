"""The command for what sandboxes need."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest

from scripts import sandbox


def test_check_names_every_provider_and_what_it_lacks(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere.sock")
    sandbox.main(["check"])
    assert [line.partition(":")[0] for line in capsys.readouterr().out.splitlines()] == ["docker", "bubblewrap"]


def test_an_image_is_written_where_it_is_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    sandbox.main(["image", f"out={tmp_path}/image.tar"])
    with tarfile.open(tmp_path / "image.tar") as archive:
        members = archive.getmembers()
    names = [member.name for member in members]
    assert {"usr/local/bin/python3", "usr/bin/sh", "repo"} <= set(names)
    assert not [name for name in names if "/pip/" in name or name.endswith(".whl") or name.startswith("root/")]
    assert not [member.name for member in members if member.mode & 0o6000]


def test_nonsense_is_refused():
    with pytest.raises(ValueError, match="One of check, image, clean; got nothing"):
        sandbox.main([])
    with pytest.raises(ValueError, match="expected one of host, debian"):
        sandbox.main(["image", "source=arch"])
