"""One Engine and one pool of each provider for all tests of a process."""

from __future__ import annotations

from collections.abc import Iterator

import docker
import pytest

from envs.swe.sandbox import bubblewrap
from envs.swe.sandbox import docker as containers
from envs.swe.sandbox.bubblewrap import BubblewrapSandbox
from envs.swe.sandbox.docker import DockerSandbox
from envs.swe.sandbox.engine import LocalEngine
from envs.swe.sandbox.engine import unavailable as no_engine
from envs.swe.sandbox.pool import Pool
from envs.swe.sandbox.sandbox import Limits, Sandbox

LIMITS = Limits(memory_mib=128, disk_mib=16, files=2000, file_mib=8, output_kib=256)
PROVIDERS = ("docker", "bubblewrap")


@pytest.fixture(scope="session")
def engine() -> Iterator[docker.DockerClient]:
    """The Engine of DOCKER_HOST, or one that lives as long as the tests."""
    if not containers.unavailable():
        yield containers.connect()
        return
    if reason := no_engine():
        pytest.skip(f"no Docker Engine answers, and none can be started: {reason}")
    with LocalEngine() as own:
        yield own.client()


@pytest.fixture(scope="session")
def docker_pool(engine: docker.DockerClient) -> Iterator[Pool]:
    with Pool(lambda: DockerSandbox(LIMITS, client=engine), 2) as pool:
        yield pool


@pytest.fixture(scope="session")
def bubblewrap_pool() -> Iterator[Pool]:
    if reason := bubblewrap.unavailable():
        pytest.skip(reason)
    with Pool(lambda: BubblewrapSandbox(LIMITS), 2) as pool:
        yield pool


@pytest.fixture(params=PROVIDERS)
def pool(request: pytest.FixtureRequest) -> Pool:
    """Of either provider."""
    return request.getfixturevalue(f"{request.param}_pool")


@pytest.fixture
def sandbox(pool: Pool) -> Iterator[Sandbox]:
    """An empty one of either provider."""
    with pool.lent() as sandbox:
        yield sandbox
