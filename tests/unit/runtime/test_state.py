import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from alertsite.runtime.errors import CannotStart
from alertsite.runtime.state import (
    embedded_variables,
    lock_state,
    open_state,
    read_secret,
    secret_file,
    state_root,
)

REPOSITORY = Path(__file__).parents[3]


def test_secret_is_made_once_and_private(tmp_path):
    state = open_state(tmp_path / "a state")
    values = iter(["first", "second"])
    path = secret_file(state, "key", lambda: next(values))
    assert read_secret(path) == "first"
    assert read_secret(secret_file(state, "key", lambda: next(values))) == "first"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(state.secrets.stat().st_mode) == 0o700


def test_second_supervisor_is_told_who_holds_the_state(tmp_path):
    state = open_state(tmp_path)
    with (
        lock_state(state),
        pytest.raises(CannotStart, match=f"already running in .* as process {os.getpid()}$"),
    ):
        lock_state(state)


def test_lock_of_a_dead_supervisor_stops_nobody(tmp_path):
    (tmp_path / "lock").write_text("1\n")
    with lock_state(open_state(tmp_path)):
        assert (tmp_path / "lock").read_text() == f"{os.getpid()}\n"


def test_state_below_a_file_is_refused(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(CannotStart, match="cannot write to the state directory"):
        open_state(tmp_path / "file" / "var")


def test_state_lies_beside_the_code_unless_named():
    assert state_root({}) == REPOSITORY / "var"
    assert state_root({"ALERTSITE_STATE_DIR": "/srv/state"}) == Path("/srv/state")


def test_other_commands_find_the_running_cluster(tmp_path):
    state = open_state(tmp_path)
    state.environment.write_text(json.dumps({"REDIS_URL": "unix:///x"}))
    variables = {"ALERTSITE_STATE_DIR": str(tmp_path)}
    assert embedded_variables(variables) == {"REDIS_URL": "unix:///x"}
    assert embedded_variables(variables | {"DATABASE_URL": "postgresql://elsewhere/x"}) == {}


def test_other_commands_find_nothing_where_nothing_runs(tmp_path):
    assert embedded_variables({"ALERTSITE_STATE_DIR": str(tmp_path)}) == {}


def run_manage(*arguments, **variables):
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=REPOSITORY,
        env=variables,
        capture_output=True,
        text=True,
        check=False,
    )


def test_up_in_a_taken_state_costs_one_line(tmp_path):
    with lock_state(open_state(tmp_path)):
        done = run_manage("up", ALERTSITE_STATE_DIR=str(tmp_path))
    assert done.returncode == 1
    assert done.stderr == f"manage.py up: already running in {tmp_path} as process {os.getpid()}\n"


def test_sample_secret_costs_one_line(tmp_path):
    done = run_manage(
        "check", ALERTSITE_STATE_DIR=str(tmp_path), REDIS_URL="redis://x", SECRET_KEY="your-super-secret-key"
    )
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "SECRET_KEY is a sample value" in done.stderr
    assert "your-super-secret-key" not in done.stderr


def test_missing_library_costs_one_line():
    done = subprocess.run(
        [sys.executable, "-S", "manage.py", "up"], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr == (
        "manage.py: django is not installed: run `make install`, then .venv/bin/python manage.py\n"
    )
