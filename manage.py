"""The command line of the platform."""

from __future__ import annotations

import os
import sys

from django.core.management import execute_from_command_line

from alertsite.settings.env import InvalidSetting


def main() -> int:
    """Run the command on the command line; a wrong setting costs one line, not a traceback."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "alertsite.settings.base")  # noqa: TID251 (Django's own seam)
    try:
        execute_from_command_line(sys.argv)
    except InvalidSetting as error:
        sys.stderr.write(f"manage.py: {error.detail}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
