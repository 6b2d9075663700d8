"""Of an archive only regular files within limits are taken, and of an image only a folder."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable

import docker
import pytest

from envs.swe.sandbox.archives import image_files, regular_members
from envs.swe.sandbox.image import host_image
from envs.swe.sandbox.leaks import refuse_installed
from envs.swe.sandbox.sandbox import Limits, Sandbox

SMALL = Limits(disk_mib=1, files=5, file_mib=1)


def archive(fill: Callable[[tarfile.TarFile], None]) -> list[bytes]:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as tar:
        fill(tar)
    return [content.getvalue()]


def member(name: str, kind: bytes = tarfile.REGTYPE, size: int = 0, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.size, info.linkname = kind, size, link
    return info


def test_links_devices_and_pipes_of_an_archive_are_left_out():
    def fill(tar: tarfile.TarFile) -> None:
        tar.addfile(member("top", tarfile.DIRTYPE))
        tar.addfile(member("top/a/b", size=3), io.BytesIO(b"abc"))
        tar.addfile(member("top/hard", tarfile.LNKTYPE, link="/etc/passwd"))
        tar.addfile(member("top/soft", tarfile.SYMTYPE, link="/etc/passwd"))
        tar.addfile(member("top/device", tarfile.CHRTYPE))
        tar.addfile(member("top/pipe", tarfile.FIFOTYPE))

    assert regular_members(archive(fill), SMALL) == {"a/b": b"abc"}


@pytest.mark.parametrize("name", ["../x", "top/../../x", "/etc/x", "top/\udcff/../x"])
def test_a_name_that_leads_out_of_an_archive_is_refused(name: str):
    with pytest.raises(ValueError, match="relative path"):
        regular_members(archive(lambda tar: tar.addfile(member(name))), SMALL)


def test_an_archive_over_the_limits_is_refused_before_it_is_read():
    huge = member("top/huge", size=10 << 30)
    with pytest.raises(ValueError, match="over the limits"):
        regular_members([huge.tobuf()], SMALL)
    many = archive(lambda tar: [tar.addfile(member(f"top/{number}")) for number in range(6)] and None)
    with pytest.raises(ValueError, match="over the limits"):
        regular_members(many, SMALL)
    with pytest.raises(ValueError, match="more than"):
        regular_members((bytes(1 << 20) for _ in range(10**9)), SMALL)
    with pytest.raises(ValueError, match="damaged"):
        regular_members([b"x" * 2048], SMALL)


def test_a_tree_is_read_out_of_an_image_that_never_runs(engine: docker.DockerClient):
    before = len(engine.containers.list(all=True))
    files = image_files(engine, host_image().load(engine), "/etc")
    assert b"agent" in files["passwd"]
    with pytest.raises(ValueError, match="has none such"):
        image_files(engine, host_image().tag, "/nonesuch")
    assert len(engine.containers.list(all=True)) == before


def test_a_task_of_a_package_that_the_image_has_is_refused(sandbox: Sandbox):
    sandbox.reset({"quux/__init__.py": "", "iniconfig/__init__.py": ""})
    refuse_installed(sandbox, ["quux/__init__.py", "src/quux2.py", "tests/test_x.py", "README.md"])
    with pytest.raises(ValueError, match=r"iniconfig, textwrap installed"):
        refuse_installed(sandbox, ["iniconfig/__init__.py", "textwrap.py", "quux/__init__.py"])
