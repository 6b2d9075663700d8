"""Pools hand out empty sandboxes and outlive lost ones; nothing stays behind."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

import docker
import docker.errors
import pytest

from envs.swe.sandbox import bubblewrap
from envs.swe.sandbox.bubblewrap import BubblewrapSandbox
from envs.swe.sandbox.channel import ExecChannel
from envs.swe.sandbox.docker import LABEL, OWNER, DockerSandbox, abandoned, clean_strays, owner
from envs.swe.sandbox.engine import LocalEngine
from envs.swe.sandbox.engine import unavailable as no_engine
from envs.swe.sandbox.image import host_image
from envs.swe.sandbox.leavings import leavings
from envs.swe.sandbox.pool import Pool
from envs.swe.sandbox.providers import available, make_sandbox
from envs.swe.sandbox.sandbox import Limits, Sandbox, SandboxLost
from tests.envs.swe.conftest import LIMITS

Factory = Callable[[], Sandbox]


@pytest.fixture(params=["docker", "bubblewrap"])
def factory(request: pytest.FixtureRequest) -> Factory:
    if request.param == "docker":
        client = request.getfixturevalue("engine")
        return lambda: DockerSandbox(LIMITS, client=client)
    if reason := bubblewrap.unavailable():
        pytest.skip(reason)
    return lambda: BubblewrapSandbox(LIMITS)


def lose(sandbox: Sandbox) -> None:
    """As if the machine had taken it."""
    if isinstance(sandbox, DockerSandbox):
        sandbox._container.kill()
    elif isinstance(sandbox, BubblewrapSandbox):
        shell = sandbox._channel.process.pid  # type: ignore[union-attr]
        for child in Path(f"/proc/{shell}/task/{shell}/children").read_text().split():
            os.kill(int(child), signal.SIGKILL)
        sandbox._channel.process.wait()  # type: ignore[union-attr]


def test_a_sandbox_that_is_gone_says_so_in_every_call(factory: Factory):
    sandbox = factory()
    lose(sandbox)
    with pytest.raises(SandboxLost, match="gone"):
        sandbox.execute(["sleep", "9"])
    assert not sandbox.alive()
    for call in (lambda: sandbox.tree(), lambda: sandbox.read("a"), lambda: sandbox.reset({})):
        with pytest.raises(SandboxLost):
            call()
    sandbox.close()
    sandbox.close()


def test_a_pool_replaces_what_is_lost_and_what_is_tainted(factory: Factory):
    with Pool(factory, 1) as pool:
        with pool.lent() as first:
            first.write("secret", b"1")
        with pool.lent() as again:
            assert again is first
            assert again.tree() == {}
            again.tainted = True
        with pool.lent() as second:
            assert second is not first
            lose(second)
        with pool.lent() as third:
            assert third.execute(["echo", "here"]).output == b"here\n"
            with pytest.raises(ValueError, match="not taken"):
                pool.give_back(second)
    with pytest.raises(SandboxLost, match="pool is closed"):
        pool.take()


def test_a_worker_that_is_killed_from_outside_is_replaced_and_the_tree_stays(docker_pool: Pool):
    with docker_pool.lent() as sandbox:
        sandbox.write("kept", b"1")
        killer = threading.Timer(0.3, lambda: cut(sandbox._channel))  # type: ignore[attr-defined]
        killer.start()
        assert sandbox.execute(["sleep", "5"]).returncode == 137
        assert sandbox.tainted
        assert sandbox.read("kept") == b"1"
        assert sandbox.execute(["ps", "-u", "1000", "-o", "comm="]).output.split() == [b"python3", b"ps"]


def cut(channel: ExecChannel) -> None:
    channel._connection.shutdown(socket.SHUT_RDWR)


def test_threads_share_a_pool_and_wait_for_their_turn(bubblewrap_pool: Pool):
    seen: list[bytes] = []

    def work(number: int) -> None:
        with bubblewrap_pool.lent() as sandbox:
            sandbox.write("mine", str(number).encode())
            seen.append(sandbox.execute(["cat", "mine"]).output)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(seen) == [str(number).encode() for number in range(8)]


def test_fifty_episodes_leave_nothing_behind(factory: Factory, request: pytest.FixtureRequest):
    docker_used = "docker" in request.node.name
    client = request.getfixturevalue("engine") if docker_used else None
    before = left(client)
    with Pool(factory, 2) as pool:
        for episode in range(50):
            with pool.lent() as sandbox:
                sandbox.reset({"a.py": f"print({episode})"})
                sandbox.execute(["sh", "-c", f"setsid sleep 50.{os.getpid()} & touch /tmp/x; python3 a.py"])
                if episode % 25 == 24:
                    lose(sandbox)
    deadline = time.monotonic() + 10
    while (after := left(client)) != before and time.monotonic() < deadline:
        time.sleep(0.1)
    assert after == before


def left(client: docker.DockerClient | None) -> dict[str, object]:
    """The same, and whether a sleeper of this test is still there."""
    return {**leavings(client), "sleepers": f"50.{os.getpid()}".encode() in b"".join(commands())}


def commands() -> list[bytes]:
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found.append(path.read_bytes())
        except OSError:
            continue
    return found


def test_a_sandbox_that_is_forgotten_goes_with_its_object(engine: docker.DockerClient):
    sandbox = DockerSandbox(LIMITS, client=engine)
    container = sandbox._container.id
    del sandbox
    assert container not in [item.id for item in engine.containers.list(all=True)]


def test_strays_of_a_process_that_was_killed_are_found_by_their_label(engine: docker.DockerClient):
    address = f"unix://{engine.api.get_adapter(engine.api.base_url).socket_path}"
    image = host_image().load(engine)
    pid = os.fork()
    if pid == 0:
        try:
            sandbox = DockerSandbox(LIMITS, image, docker.DockerClient(address))
            if sandbox.alive():
                os.kill(os.getpid(), signal.SIGKILL)
        finally:
            os._exit(1)
    os.waitpid(pid, 0)
    with Pool(lambda: DockerSandbox(LIMITS, client=engine), 1) as pool, pool.lent() as used:
        owners = [item.labels[OWNER] for item in engine.containers.list(filters={"label": LABEL})]
        assert len([name for name in owners if f":{pid}:" in name]) == 1
        assert clean_strays(engine) == 1
        assert clean_strays(engine) == 0
        assert used.alive()


def test_the_owner_of_a_container_is_told_from_one_with_its_process_id():
    machine, pid, started = owner().rsplit(":", 2)
    assert not abandoned(owner())
    assert abandoned(f"{machine}:{pid}:{int(started) - 1}")
    assert not abandoned(f"elsewhere:{pid}:{started}1")
    assert not abandoned("")


def test_an_engine_that_dies_under_a_pool_is_named_with_what_to_do():
    if reason := no_engine():
        pytest.skip(reason)
    with LocalEngine() as engine, Pool(lambda: DockerSandbox(LIMITS, client=engine.client(10)), 1) as pool:
        with pool.lent() as sandbox:
            engine.process.kill()
            engine.process.wait()
            with pytest.raises(SandboxLost, match="Docker Engine does not answer"):
                sandbox.execute(["true"])
        with pytest.raises(SandboxLost, match=r"no sandbox to replace.*dockerd --data-root"):
            pool.take()
    assert not engine.folder.exists()
    assert str(engine.folder) not in Path("/proc/self/mountinfo").read_text()
    assert not [line for line in commands() if str(engine.folder).encode() in line]


def test_without_an_engine_the_error_says_how_to_get_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    with pytest.raises(ValueError, match=r"no Docker Engine answers.*dockerd --data-root"):
        make_sandbox("docker")
    assert "DOCKER_HOST" in available()["docker"]
    with pytest.raises(ValueError, match="expected one of docker, bubblewrap"):
        make_sandbox("table")
    with pytest.raises(ValueError, match=r"limits\.processes=0"):
        make_sandbox("docker", Limits(processes=0))


def test_without_bubblewrap_the_error_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(ValueError, match="apt-get install bubblewrap"):
        make_sandbox("bubblewrap")


def test_an_image_that_is_none_is_refused(engine: docker.DockerClient):
    with pytest.raises(ValueError, match="no such image"):
        DockerSandbox(LIMITS, image="nonesuch:1", client=engine)
