"""What every process loads: nothing that only some workers need."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HEAVY = ("sklearn", "pandas", "torch", "matplotlib", "boto3", "kubernetes")
LOADED = """
import sys
import django
django.setup()
import alertsite.urls
print(*sorted(set(sys.argv[1:]) & set(sys.modules)))
"""


def test_the_web_process_loads_nothing_heavy():
    found = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", LOADED, *HEAVY],
        cwd=Path(__file__).parents[2],
        env={"DJANGO_SETTINGS_MODULE": "alertsite.settings.test", "PATH": ""},
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout.split() == []
