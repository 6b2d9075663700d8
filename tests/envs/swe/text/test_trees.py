"""Instances whose tree lies in an image: played in Docker, without the image's copy of it."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import docker
import pytest

from envs.swe.sandbox.image import host_image
from envs.swe.tasks.task import TestSuite as Suite
from envs.swe.text.env import SweTextEnv
from envs.swe.text.trees import with_tree
from tests.envs.swe.grading.calculator import BUG, TESTED, TESTS
from tests.envs.swe.text.repository import MEND, TASK, saved

IN_IMAGE = {
    "calc.py": BUG.encode(),
    "tests/test_calc.py": TESTS.encode(),
    ".git/packed-refs": b"later commits",
    "picture.png": b"\xff\x00",
}
PATCH = """--- /dev/null
+++ b/tests/test_later.py
@@ -0,0 +1,4 @@
+from calc import add
+
+def test_brought():
+    assert add(70001, 1) == 70002
"""
INSTANCE = replace(
    TESTED,
    files={},
    checks=Suite(("python", "-m", "pytest", "tests"), PATCH, ("tests/test_later.py",)),
    fail_to_pass=("tests/test_later.py::test_brought",),
    pass_to_pass=("tests/test_calc.py::test_halves",),
    visible=("tests/test_calc.py::test_halves",),
    image="breadcrumb-test:instance",
    workdir="/testbed",
)


@pytest.fixture
def instance_image(engine: docker.DockerClient, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """An image of our own with a repository in /testbed, on the Engine that DOCKER_HOST names."""
    monkeypatch.setenv("DOCKER_HOST", f"unix://{engine.api._custom_adapter.socket_path}")
    container = engine.containers.create(host_image().load(engine), ["true"], network_mode="none")
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as tar:
        for path, text in IN_IMAGE.items():
            member = tarfile.TarInfo(f"testbed/{path}")
            member.size = len(text)
            tar.addfile(member, io.BytesIO(text))
    container.put_archive("/", content.getvalue())
    container.commit("breadcrumb-test", "instance")
    container.remove()
    yield INSTANCE.image
    engine.images.remove(INSTANCE.image, force=True)


def test_an_instance_is_played_without_its_history_and_its_hidden_tests(instance_image: str, tmp_path: Path):
    env = SweTextEnv(saved(tmp_path, INSTANCE), sandbox="docker")
    try:
        env.reset(seed=0)
        assert env.step("ls")[0] == "calc.py\ntests/"
        assert "No such file" in env.step("bash ls -a /testbed")[0]
        assert "brought" not in env.step("bash ls -aR; cat tests/*; git log")[0]
        assert env.step("run_tests")[0] == "1 of 1 tests passed"
        env.step("open calc.py")
        env.step(MEND)
        assert env.step("submit")[4]["outcome"] == "pass"
        assert "70002" not in env.patch() + "".join(text for _, text in env.transcript)
    finally:
        env.close()


def test_a_tree_has_neither_history_nor_what_is_no_text(instance_image: str):
    assert set(with_tree(INSTANCE).files) == {"calc.py", "tests/test_calc.py"}
    assert with_tree(TASK) is TASK


def test_a_task_without_a_tree_or_with_an_image_that_is_not_there_says_what_to_do(instance_image: str, tmp_path: Path):
    with pytest.raises(ValueError, match="give image="):
        with_tree(replace(INSTANCE, image=""))
    with pytest.raises(ValueError, match="has none such"):
        with_tree(INSTANCE, "nonesuch:1")
    env = SweTextEnv(saved(tmp_path, INSTANCE), sandbox="bubblewrap")
    with pytest.raises(ValueError, match="use docker"):
        env.reset()
    env.close()
