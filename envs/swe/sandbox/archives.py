"""Trees that lie in an Engine's image, and archives that nobody vouches for."""

from __future__ import annotations

import io
import posixpath
import tarfile
from collections.abc import Iterable
from typing import Any

import docker.errors

from envs.swe.sandbox.docker import ENGINE_ERRORS
from envs.swe.sandbox.sandbox import Limits
from envs.swe.sandbox.worker_sandbox import relative

ROOM_FOR_HEADERS = 3
"""An archive may have so many times the bytes of its contents: 512 a header, and padding."""


def image_files(client: docker.DockerClient, image: str, folder: str, limits: Limits | None = None) -> dict[str, bytes]:
    """The regular files of a folder in an image (SWE-bench's /testbed), without running anything.

    Raises ValueError where the Engine has no such image or folder, or it is over the limits.
    """
    limits = limits or Limits(disk_mib=512, files=100_000)
    try:
        container = client.containers.create(image, ["none"], network_mode="none")
        try:
            stream, _ = container.get_archive(folder)
            return regular_members(stream, limits)
        finally:
            container.remove(force=True)
    except docker.errors.NotFound as error:
        raise ValueError(f"image={image!r}, folder {folder!r}: the Engine has none such ({error})") from error
    except ENGINE_ERRORS as error:
        raise ValueError(f"image={image!r}: the Engine did not give {folder!r}: {error}") from error


def regular_members(pieces: Iterable[bytes], limits: Limits) -> dict[str, bytes]:
    """Regular files of a tar, relative to its one top folder; links and devices are left out.

    Raises ValueError for a name that leads out, and for more than the limits allow, which is
    noticed before it is read.
    """
    content = _bounded(pieces, ROOM_FOR_HEADERS * (limits.disk_mib << 20))
    files: dict[str, bytes] = {}
    total = 0
    try:
        with tarfile.open(fileobj=io.BytesIO(content), mode="r:") as archive:
            for member in archive:
                if not member.isreg() or member.issparse():
                    continue
                path = relative(posixpath.normpath(member.name) if ".." not in member.name else member.name)
                total += member.size
                if member.size > limits.file_mib << 20 or total > limits.disk_mib << 20 or len(files) >= limits.files:
                    raise ValueError(f"the archive is over the limits at {member.name!r}: {limits}")
                files[path.partition("/")[2] or path] = _read(archive, member)
    except tarfile.TarError as error:
        raise ValueError(f"the archive is damaged: {error}") from error
    return files


def _bounded(pieces: Iterable[bytes], most: int) -> bytes:
    content = bytearray()
    for piece in pieces:
        content += piece
        if len(content) > most:
            raise ValueError(f"the archive has more than {most} bytes")
    return bytes(content)


def _read(archive: tarfile.TarFile, member: Any) -> bytes:
    file = archive.extractfile(member)
    return file.read() if file else b""
