"""Templates of rules that ask the tenant's series as of their tick."""

from __future__ import annotations

import pytest

from rules.language.engine import EvaluationLimits
from rules.notify.templates import TemplateFailed
from rules.services.templating import rule_templates
from tests.unit.language.store import store_of

STORE = {'up{instance="a"}': "0 1 0", 'up{instance="b"}': "1x2"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param('{{ query "sum(up)" | first | value }}', "1", id="as of the tick"),
        pytest.param(
            '{{ range query "up" | sortByLabel "instance" }}{{ .Labels.instance }}={{ .Value }} {{ end }}',
            "a=0 b=1 ",
            id="several series",
        ),
        pytest.param('{{ query "1 + 2" | first | value }}', "3", id="scalar"),
        pytest.param('{{ query "\\"x\\"" | first | strvalue }}', "x", id="string"),
        pytest.param('{{ range query "nope" }}a{{ else }}nothing{{ end }}', "nothing", id="no series"),
        pytest.param("{{ toTime now }}", "1970-01-01 00:02:00 +0000 UTC", id="now is the tick"),
        pytest.param("{{ $externalURL }}/alerts", "http://127.0.0.1:8000/alerts", id="external URL"),
    ],
)
def test_a_template_asks_the_series(settings, text, expected):
    settings.PUBLIC_URL = "http://127.0.0.1:8000"
    templates = rule_templates(store_of(STORE), EvaluationLimits(), 120_000)
    assert templates.expand(text, {}, 0.0) == expected


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        pytest.param("sum(", "query 'sum('", id="malformed"),
        pytest.param("up[5m]", "one value a series", id="range of samples"),
        pytest.param("up * on () up", "query 'up * on", id="ambiguous"),
        pytest.param("up[2h:1s] > 0", "query 'up", id="not a vector"),
    ],
)
def test_a_query_that_fails_fails_the_template(expression, reason):
    templates = rule_templates(store_of(STORE), EvaluationLimits(), 120_000)
    with pytest.raises(TemplateFailed, match="column 4") as caught:
        templates.expand(f"{{{{ query `{expression}` }}}}", {}, 0.0)
    assert reason in caught.value.reason
