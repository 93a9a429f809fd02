"""Clusters for end-to-end tests."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import pytest

from alertsite.runtime.sandbox import temporary_directory
from tests.end_to_end.cluster import Up, wait_for_guardian


@pytest.fixture
def start():
    started = []
    home = Path(tempfile.mkdtemp(prefix="alertsite-up-", dir=temporary_directory()))
    home.chmod(0o755)  # root's servers run under an account that must get there

    def start_up(*options, **variables):
        started.append(Up(home / "a state", *options, **variables))
        return started[-1]

    yield start_up
    for up in started:
        up.process.kill()
        up.process.communicate()
    assert wait_for_guardian(home / "a state") == []
    shutil.rmtree(home)
