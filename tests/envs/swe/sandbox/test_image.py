"""Images are made once, lie where nobody else can write, and go when they are old."""

from __future__ import annotations

from pathlib import Path

import docker
import pytest

from envs.swe.sandbox import image as images
from envs.swe.sandbox.image import REPOSITORY, debian, host_image, remove_old


def test_old_images_go_and_the_one_in_use_stays(engine: docker.DockerClient):
    current = host_image().load(engine)
    engine.images.get(current).tag(REPOSITORY, "former")
    assert remove_old(engine, host_image().fingerprint, folders=False) == 1
    tags = {tag for image in engine.images.list(name=REPOSITORY) for tag in image.tags}
    assert current in tags
    assert f"{REPOSITORY}:former" not in tags


def test_an_image_is_unpacked_only_where_nobody_else_can_write(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    (tmp_path / "link").symlink_to(tmp_path)
    for name in ("open", "link"):
        monkeypatch.setattr(images, "unpacked", lambda name=name: tmp_path / name)
        with pytest.raises(ValueError, match="remove it and try again"):
            host_image().unpack()


def test_folders_of_former_pythons_go_only_where_that_is_asked_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr(images, "unpacked", lambda: tmp_path)
    for name in ("former", host_image().fingerprint):
        (tmp_path / name).mkdir()
    assert remove_old(None, host_image().fingerprint, folders=False) == 0
    assert remove_old(None, host_image().fingerprint, folders=True) == 1
    assert [path.name for path in tmp_path.iterdir()] == [host_image().fingerprint]


def test_debian_without_debootstrap_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(ValueError, match="apt-get install debootstrap"):
        debian(tmp_path / "image.tar")
