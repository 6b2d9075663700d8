"""The dependency lock: constraints.txt from pyproject.toml. Runs on the standard library alone.

python scripts/lock.py write constraints.txt   # resolve all anew (by an index, installs nothing)
python scripts/lock.py requirements            # what pyproject.toml declares, one a line
python scripts/lock.py extra mujoco            # the same of an optional part
python scripts/lock.py without-dependencies    # what to install with --no-deps, one a line
python scripts/lock.py pin torch               # the declared requirement of one package
"""

import json
import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HEADER = "# Written by `make lock` from pyproject.toml; do not edit.\n"

# A CUDA build of torch brings these; the lock is for any build, so they stay out of it.
BUILD_SPECIFIC = re.compile(r"^(nvidia-.*|cuda-.*|triton|pytorch-triton.*)$")


def requirements() -> list[str]:
    """Every requirement that pyproject.toml declares, the `dev` extra included."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return [*project["dependencies"], *project["optional-dependencies"]["dev"]]


def extra(name: str) -> list[str]:
    """What an optional part needs beside. Raises SystemExit where there is none of that name."""
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    if name not in extras:
        raise SystemExit(f"error: there is no extra {name!r}; there are {', '.join(sorted(extras))}")
    return list(extras[name])


def every_requirement() -> list[str]:
    """Those of every optional part, too: what the lock is of."""
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    return [*requirements(), *(line for name in extras if name != "dev" for line in extras[name])]


def without_dependencies() -> list[str]:
    """Requirements to install without their own: tool.breadcrumb.without_dependencies."""
    tools = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]
    return list(tools["breadcrumb"]["without_dependencies"])


def pin(package: str) -> str:
    """The declared requirement of `package`. Raises SystemExit where there is none."""
    for requirement in requirements():
        if re.split(r"[\s\[<>=!~;]", requirement)[0].lower() == package.lower():
            return requirement
    raise SystemExit(f"error: pyproject.toml does not depend on {package!r}")


def resolve() -> dict[str, str]:
    """Package name -> version for the whole closure, as pip resolves it now; installs nothing."""
    with tempfile.TemporaryDirectory() as folder:
        venv, report = Path(folder) / "venv", Path(folder) / "report.json"
        subprocess.run([sys.executable, "-m", "venv", venv], check=True)
        pip = [str(venv / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
        only_tell = ["--dry-run", "--ignore-installed", "--report", str(report)]
        subprocess.run([*pip, *only_tell, *every_requirement()], check=True)
        installs = json.loads(report.read_text())["install"]
    return {
        re.sub(r"[-_.]+", "-", item["metadata"]["name"]).lower(): item["metadata"]["version"].split("+")[0]
        for item in installs
    }


def write(path: Path) -> None:
    """Write the resolved versions to `path`, without local parts such as +cpu: any build fits."""
    lines = [f"{name}=={version}\n" for name, version in sorted(resolve().items()) if not BUILD_SPECIFIC.match(name)]
    path.write_text(HEADER + "".join(lines))
    print(f"{path}: {len(lines)} packages")


def main(arguments: list[str]) -> None:
    match arguments:
        case ["requirements"]:
            print("\n".join(requirements()))
        case ["extra", name]:
            print("\n".join(extra(name)))
        case ["without-dependencies"]:
            print("\n".join(without_dependencies()))
        case ["pin", package]:
            print(pin(package))
        case ["write", path]:
            write(Path(path))
        case _:
            raise SystemExit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
