"""The command line of the platform."""

from __future__ import annotations

import os
import sys

if sys.version_info < (3, 11):  # noqa: UP036 (said in one line, before an import fails)
    sys.exit(f"manage.py: Python 3.11 or newer is needed, this is {sys.version.split()[0]}")

try:
    from django.core.management import execute_from_command_line

    from alertsite.runtime.state import embedded_variables
    from alertsite.runtime.up import run_up
    from alertsite.settings.env import InvalidSetting, assume, process_variables
except ModuleNotFoundError as missing:
    sys.exit(
        f"manage.py: {missing.name} is not installed: run `make install`, then .venv/bin/python manage.py"
    )


def main() -> int:
    """Run the command on the command line; a wrong setting costs one line, not a traceback.

    `up` runs without Django's settings; `bench` on servers of its own, like the tests; `rules test`,
    `timeline test` and `ml` need no server. Every other command finds the servers that `up` started.
    """
    variables = process_variables()
    if sys.argv[1:2] == ["up"]:
        return run_up(sys.argv[2:], variables)
    of_files_alone = sys.argv[1:3] in (["rules", "test"], ["timeline", "test"]) and "--tenant" not in sys.argv
    own_servers = sys.argv[1:2] in (["bench"], ["ml"]) or of_files_alone
    if not own_servers:
        assume(embedded_variables(variables))
    module = "alertsite.settings.test" if own_servers else "alertsite.settings.base"
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", module)  # noqa: TID251 (Django's own seam)
    try:
        execute_from_command_line(sys.argv)
    except InvalidSetting as error:
        sys.stderr.write(f"manage.py: {error.detail}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
