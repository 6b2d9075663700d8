"""Trees of instances that lie in an image, and images in which they lie no more."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import docker
import docker.errors

from envs.swe.sandbox.archives import image_files
from envs.swe.sandbox.docker import ENGINE_ERRORS, LABEL, OWNER, connect, owner
from envs.swe.sandbox.image import REPOSITORY
from envs.swe.tasks.task import Task
from envs.swe.text.shell import readable

SECONDS = 300
"""In which an image's tree has to be removed."""


def with_tree(task: Task, image: str = "") -> Task:
    """The task with its files; where it has none, those of its workdir in an image.

    Files that are no UTF-8 are left out, and what lies in .git: a history tells how bugs were
    mended.

    Args:
        image: instead of the one that the task names.

    Raises:
        ValueError: it has neither; or the Engine has no such image.
    """
    image = image or task.image
    if task.files:
        return task
    if not image:
        raise ValueError(f"task {task.id} has neither files nor an image to read them from: give image=")
    return replace(task, files=readable(image_files(connect(), image, task.workdir)))


def without_tree(client: docker.DockerClient, image: str, folder: str) -> str:
    """The name of an image that is like another, but for a folder, which is not there.

    The image of an instance holds the repository with its history, later commits and all; an agent
    that could read it would read the answer (SWE-bench, issue 465). Made once for an image.

    Raises:
        ValueError: the Engine has no such image, or the folder cannot be removed.
    """
    try:
        identity = f"{client.images.get(image).id} {folder}"
        tag = f"without-{hashlib.sha256(identity.encode()).hexdigest()[:16]}"
        if not client.images.list(f"{REPOSITORY}:{tag}"):
            _remove_and_commit(client, image, folder, tag)
    except docker.errors.ImageNotFound as error:
        raise ValueError(f"image={image!r}: the Engine has no such image. Pull it there") from error
    except ENGINE_ERRORS as error:
        raise ValueError(f"image={image!r}: the Engine did not remove {folder!r} from it: {error}") from error
    return f"{REPOSITORY}:{tag}"


def _remove_and_commit(client: docker.DockerClient, image: str, folder: str, tag: str) -> None:
    container = client.containers.create(
        image, ["rm", "-rf", "--", folder], entrypoint=[], user="0", network_mode="none",
        labels={LABEL: "1", OWNER: owner()},
    )  # fmt: skip
    try:
        container.start()
        if status := container.wait(timeout=SECONDS)["StatusCode"]:
            raise ValueError(f"image={image!r}: {folder!r} could not be removed, exit status {status}")
        container.commit(REPOSITORY, tag)
    finally:
        container.remove(force=True)
