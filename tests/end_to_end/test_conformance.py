"""Every visible case of the language through HTTP: samples by remote write, answers by the query API."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.conformance.cases import PACKS, SHARED
from tests.end_to_end.client import Person

pytestmark = pytest.mark.slow

RUNNER = SHARED / "bench" / "promql_pack.py"
MONTH_S = 30 * 86_400
OPERATOR_KEY = """
from alertsite.tenancy.services import create_api_key
print("key:" + create_api_key("conformance", tenant=None).secret)
"""


@pytest.fixture
def platform(start):
    up = start()
    up.wait_until_up()
    person = Person(up.port, up.output)
    yield up, person
    person.close()


@pytest.mark.skipif(not RUNNER.exists(), reason="../shared/bench is not here")
def test_every_visible_case_passes_through_http(platform):
    up, person = platform
    made = up.manage("shell", "-v0", "-c", OPERATOR_KEY)
    key = next(line.removeprefix("key:") for line in made.splitlines() if line.startswith("key:"))
    packs = [SHARED / "data" / "promql" / f"{name}.json" for name in PACKS]
    groups = max(len(json.loads(pack.read_text())["groups"]) for pack in packs)
    for pack in packs:
        prefix = pack.stem.replace("_", "-")
        for number in range(groups):
            tenant = {"slug": f"{prefix}-{number}", "quota": {"lateness_s": MONTH_S}}
            person.call("POST", "/api/tenants/", json=tenant)
        ran = subprocess.run(
            [
                *(sys.executable, str(RUNNER), str(pack), "--isolate", "tenant"),
                *("--url", f"http://127.0.0.1:{up.port}/prometheus", "--show", "20", "--min-rate", "100"),
                *("--header", f"X-Scope-OrgID: {prefix}-{{n}}", "--header", f"Authorization: Bearer {key}"),
            ],
            capture_output=True,
            text=True,
            check=False,
        )
        assert ran.returncode == 0, ran.stdout[-3000:]
