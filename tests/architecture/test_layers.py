"""The import law of `pyproject.toml` holds."""

import subprocess
import sysconfig
from pathlib import Path


def test_imports_point_one_way():
    program = Path(sysconfig.get_path("scripts")) / "lint-imports"
    done = subprocess.run(
        [program, "--no-cache"], cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout
