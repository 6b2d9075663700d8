"""Sandboxes by name. None of them ever runs a program of an agent's on the host."""

from __future__ import annotations

from envs.swe.sandbox import bubblewrap, docker
from envs.swe.sandbox.sandbox import Limits, Sandbox
from foundation.checks import one_of

UNAVAILABLE = {"docker": docker.unavailable, "bubblewrap": bubblewrap.unavailable}
AUTO = "auto"
HOW = {"docker": "start a Docker Engine and set DOCKER_HOST", "bubblewrap": "apt-get install bubblewrap"}


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


def provider(name: str, image: str = "") -> str:
    """The provider of a name; "auto" is the first one whose sandboxes start.

    Raises:
        ValueError: it is not there, or none is, with what each lacks; nothing runs on the host.
    """
    if one_of("sandbox", name, (AUTO, *UNAVAILABLE)) != AUTO:
        if reason := UNAVAILABLE[name]():
            raise ValueError(f"sandbox={name}: {reason}")
        return name
    reasons = available()
    for other in reasons:
        reasons[other] = reasons[other] or _trouble(other, image)
        if not reasons[other]:
            return other
    lacks = "; ".join(f"{other}: {reason} ({HOW[other]})" for other, reason in reasons.items())
    raise ValueError(f"no sandbox is here, and programs of an agent never run on the host. {lacks}")


def _trouble(name: str, image: str) -> str:
    """Why no sandbox of a provider starts; "" where one does."""
    try:
        make_sandbox(name, image=image).close()
    except ValueError as error:
        return str(error)
    return ""
