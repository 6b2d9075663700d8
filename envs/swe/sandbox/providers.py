"""Sandboxes by name. None of them ever runs a program of an agent's on the host."""

from __future__ import annotations

from envs.swe.sandbox import bubblewrap, docker
from envs.swe.sandbox.sandbox import Limits, Sandbox
from foundation.checks import one_of

UNAVAILABLE = {"docker": docker.unavailable, "bubblewrap": bubblewrap.unavailable}


def make_sandbox(name: str, limits: Limits | None = None, image: str = "") -> Sandbox:
    """A sandbox of the provider of that name.

    Args:
        name: "docker" (the Engine of DOCKER_HOST) or "bubblewrap".
        limits: what a program may take.
        image: for Docker, a name that the Engine knows; this machine's own Python by default.

    Raises:
        ValueError: no such provider, or it is not there; says what to do.
    """
    one_of("sandbox", name, UNAVAILABLE)
    if name == "docker":
        return docker.DockerSandbox(limits, image)
    if image:
        raise ValueError(f"image={image!r}: bubblewrap has this machine's own Python alone; use sandbox=docker")
    return bubblewrap.BubblewrapSandbox(limits)


def available() -> dict[str, str]:
    """Provider -> why it is not there, "" where it is; in the order in which to try them."""
    return {name: reason() for name, reason in UNAVAILABLE.items()}
