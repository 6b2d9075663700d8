"""The file system that commands see: this machine's own Python, its libraries and some programs.

Nothing is fetched: files of the host are copied into a tar, which an Engine imports and bubblewrap
finds unpacked. No pip, no compiler, no package beyond pytest and what it needs, no setuid file. An
image of Debian's packages (`debian`) or one of any name does as well, as long as `python3` and
`sleep` are on its PATH.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import importlib.metadata
import io
import os
import platform
import re
import shutil
import stat
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

RECIPE = 1
"""Raised with every change of what an image holds."""
REPOSITORY = "breadcrumb-sandbox"
PROGRAMS = """
sh bash ls cat cp mv rm mkdir rmdir touch ln chmod head tail wc sort uniq cut tr tee echo printf env true false
sleep timeout kill ps seq yes dd df du stat find xargs grep sed awk diff patch git tar gzip basename dirname
mkfifo realpath readlink date id uname sha256sum setsid nohup mktemp test expr
"""
TEST_PACKAGES = ("pytest", "pluggy", "iniconfig", "packaging", "pygments")
"""pytest 9 and all that it imports; pure Python."""
LEFT_OUT = {
    "site-packages", "dist-packages", "test", "tests", "idlelib", "tkinter", "turtledemo", "ensurepip", "lib2to3",
    "pydoc_data",
}  # fmt: skip
"""Folders of the standard library; ensurepip holds wheels of pip."""
FOLDERS = """
dev etc home opt proc repo root run sys tmp usr usr/bin usr/lib usr/local usr/local/bin var var/tmp
"""
LINKS = {
    "bin": "usr/bin",
    "sbin": "usr/bin",
    "lib": "usr/lib",
    "lib64": "usr/lib",
    "usr/lib64": "lib",
    f"usr/lib/{platform.machine()}-linux-gnu": ".",
    "usr/local/bin/python3": f"python3.{sys.version_info.minor}",
    "usr/local/bin/python": "python3",
}
"""Every folder that a loader searches is the one that holds the libraries."""
TEXTS = {
    "etc/passwd": "root:x:0:0:root:/root:/bin/sh\nagent:x:1000:1000:agent:/tmp:/bin/sh\n",
    "etc/group": "root:x:0:\nagent:x:1000:\n",
}


class Image:
    """This machine's Python as an image, the same for as long as its files are the same."""

    def __init__(self) -> None:
        self.files = dict(sorted(host_files()))

    @functools.cached_property
    def fingerprint(self) -> str:
        stats = [(name, path.stat().st_size, path.stat().st_mtime_ns) for name, path in self.files.items()]
        return hashlib.sha256(repr((RECIPE, LINKS, TEXTS, FOLDERS, stats)).encode()).hexdigest()[:12]

    @property
    def tag(self) -> str:
        return f"{REPOSITORY}:{self.fingerprint}"

    def write(self, path: Path) -> None:
        """The image as a tar; owners are root, modes 755 and 644, times those of the files."""
        with tarfile.open(path, "w") as archive:
            for name in FOLDERS.split():
                archive.addfile(_member(name, tarfile.DIRTYPE, 0o1777 if name.endswith("tmp") else 0o755))
            for name, target in LINKS.items():
                member = _member(name, tarfile.SYMTYPE, 0o777)
                member.linkname = target
                archive.addfile(member)
            for name, text in TEXTS.items():
                member = _member(name, tarfile.REGTYPE, 0o644)
                member.size = len(text)
                archive.addfile(member, io.BytesIO(text.encode()))
            for name, source in self.files.items():
                _add(archive, name, source)

    def load(self, client: Any) -> str:
        """The image's tag on an Engine (a `docker.DockerClient`), imported there if need be."""
        if not client.images.list(name=self.tag):
            with tempfile.TemporaryDirectory() as folder:
                self.write(Path(folder) / "image.tar")
                import_tar(client, Path(folder) / "image.tar", self.tag)
        return self.tag

    def unpack(self) -> Path:
        """A folder with the image's files, which any user can read; made once for a machine."""
        parent = unpacked()
        parent.mkdir(mode=0o755, exist_ok=True)
        status = parent.lstat()
        if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid() or status.st_mode & 0o022:
            raise ValueError(f"{parent} is not a folder that only this user can write: remove it and try again")
        final = parent / self.fingerprint
        if final.exists():
            return final
        with tempfile.TemporaryDirectory(dir=parent) as folder:
            made = Path(folder) / "root"
            self.write(Path(folder) / "image.tar")
            with tarfile.open(Path(folder) / "image.tar") as archive:
                archive.extractall(made, filter="tar")
            try:
                made.rename(final)
            except OSError:  # another process was quicker
                if not final.exists():
                    raise
        return final


def remove_old(client: Any | None, keep: str, folders: bool) -> int:
    """Removes images of former Pythons from an Engine, where no container uses them; how many.

    With `folders`, unpacked ones too, which must be in no sandbox's use.
    """
    old = [tag for image in client.images.list(name=REPOSITORY) for tag in image.tags] if client else []
    removed = 0
    for tag in old:
        if tag.startswith(f"{REPOSITORY}:") and tag.partition(":")[2] not in (keep, "debian"):
            with contextlib.suppress(Exception):  # a container uses it: docker's errors are not known here
                client.images.remove(tag)  # type: ignore[union-attr]
                removed += 1
    for folder in unpacked().iterdir() if folders and unpacked().exists() else []:
        if folder.name != keep:
            shutil.rmtree(folder)
            removed += 1
    return removed


def unpacked() -> Path:
    return Path("/var/tmp") / f"{REPOSITORY}-{os.geteuid()}"


def import_tar(client: Any, path: Path, tag: str) -> None:
    """Makes a tar of a root file system an image. Raises RuntimeError, with the Engine's reason."""
    answer = client.api.import_image(src=str(path), repository=tag.partition(":")[0], tag=tag.partition(":")[2])
    if '"error"' in str(answer):
        raise RuntimeError(f"the Engine did not import {path}: {answer}")


def debian(path: Path, suite: str = "bookworm") -> None:
    """Writes a tar of Debian's own packages, by debootstrap: needs root, the network and a minute.

    Raises ValueError where debootstrap is missing.
    """
    if shutil.which("debootstrap") is None:
        raise ValueError("debootstrap is not on PATH: as root, apt-get install debootstrap")
    with tempfile.TemporaryDirectory() as folder:
        packages = "--include=python3,python3-pytest,git,patch,procps"
        subprocess.run(["debootstrap", "--variant=minbase", packages, suite, folder], check=True)
        for name in ("repo", "var/cache/apt", "var/lib/apt/lists"):
            shutil.rmtree(Path(folder) / name, ignore_errors=True)
            (Path(folder) / name).mkdir(parents=True)
        subprocess.run(["tar", "--create", "--file", str(path), "--directory", folder, "."], check=True)


@functools.cache
def host_image() -> Image:
    """Reading what a machine has takes a second or three: once for a process."""
    return Image()


def host_files() -> Iterator[tuple[str, Path]]:
    """Name in the image -> file of this machine."""
    binary = Path(os.path.realpath(getattr(sys, "_base_executable", sys.executable)))
    library = Path(os.__file__).resolve().parent
    name = f"python3.{sys.version_info.minor}"
    yield f"usr/local/bin/{name}", binary
    elves = [binary]
    for path in _walk(library, LEFT_OUT):
        yield f"usr/local/lib/{name}/{path.relative_to(library)}", path
        if ".so" in path.name:
            elves.append(path)
    for site, path in test_files():
        yield f"usr/local/lib/{name}/site-packages/{site}", path
    for program in PROGRAMS.split():
        if found := shutil.which(program, path="/usr/bin:/bin:/usr/local/bin"):
            yield f"usr/bin/{program}", Path(os.path.realpath(found))
            elves.append(Path(os.path.realpath(found)))
    for library_name, path in shared_libraries(elves).items():
        yield f"usr/lib/{library_name}", path


def test_files() -> Iterator[tuple[str, Path]]:
    """pytest's own files, relative to site-packages; nothing where it is not installed."""
    for package in TEST_PACKAGES:
        try:
            files = importlib.metadata.files(package) or []
        except importlib.metadata.PackageNotFoundError:
            continue
        for file in files:
            path = Path(str(file.locate()))
            if ".." not in file.parts and path.is_file() and _wanted(path):
                yield str(file), path


def shared_libraries(elves: Iterable[Path]) -> dict[str, Path]:
    """The libraries that programs of this machine load, as its own loader finds them."""
    listed = subprocess.run(["ldd", *map(str, elves)], capture_output=True, text=True, check=False).stdout
    libraries = {}
    for name, path in re.findall(r"^\s+(?:(\S+) => )?(/\S+) \(0x", listed, re.MULTILINE):
        libraries[Path(name or path).name] = Path(os.path.realpath(path))
    return libraries


def _walk(folder: Path, left_out: set[str]) -> Iterator[Path]:
    for top, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if name not in left_out and not name.startswith("config-")]
        yield from (path for name in files if _wanted(path := Path(top, name)) and path.is_file())


def _wanted(path: Path) -> bool:
    """Not what needs Tk, tests C, or was compiled under -O."""
    return not re.search(r"(\.opt-\d\.pyc|\.a|\.pem|\.exe)$|^_tkinter|^_test|^_ctypes_test|^xx", path.name)


def _add(archive: tarfile.TarFile, name: str, source: Path) -> None:
    status = source.stat()
    member = _member(name, tarfile.REGTYPE, 0o755 if status.st_mode & 0o111 else 0o644)
    member.size, member.mtime = status.st_size, int(status.st_mtime)
    with source.open("rb") as file:
        archive.addfile(member, file)


def _member(name: str, kind: bytes, mode: int) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.mode = kind, mode
    return member
