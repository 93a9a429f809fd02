import pytest

from alertsite.settings.broker import broker_from_redis
from alertsite.settings.database import postgres_from_url
from alertsite.settings.env import Environment, InvalidSetting, fault_of_secret

GOOD_SECRET = "kR3vW8qZ1mN6tY0pL5sD9fG2hJ4xC7bA"


def read(reader, *arguments, value=None, **options):
    """What a reader makes of the variable NAME holding `value`."""
    environment = Environment({} if value is None else {"NAME": value})
    return getattr(environment, reader)("NAME", *arguments, **options)


@pytest.mark.parametrize(
    ("reader", "arguments", "options", "value", "expected"),
    [
        pytest.param("text", (), {}, " words ", "words", id="text is stripped"),
        pytest.param("text", ("other",), {}, None, "other", id="text by default"),
        pytest.param("text", ("other",), {}, "", "other", id="empty is not set"),
        pytest.param("integer", (1,), {"minimum": 0, "maximum": 9}, "9", 9, id="number at the bound"),
        pytest.param("integer", (1,), {"minimum": 0, "maximum": 9}, None, 1, id="number by default"),
        pytest.param("flag", (), {"default": False}, "Yes", True, id="flag in words"),
        pytest.param("flag", (), {"default": True}, "0", False, id="flag in digits"),
        pytest.param("flag", (), {"default": True}, None, True, id="flag by default"),
        pytest.param("choice", ("a", ("a", "b")), {}, "b", "b", id="choice"),
        pytest.param("words", (), {}, "a, b,,c", ["a", "b", "c"], id="list without empty items"),
        pytest.param("words", (["x"],), {}, None, ["x"], id="list by default"),
        pytest.param("url", ("",), {"schemes": ("http",)}, "http://x", "http://x", id="url"),
        pytest.param("secret_url", (), {"schemes": ("redis",)}, "redis://x", "redis://x", id="secret url"),
        pytest.param("secret", (), {}, GOOD_SECRET, GOOD_SECRET, id="secret"),
    ],
)
def test_reader_returns(reader, arguments, options, value, expected):
    assert read(reader, *arguments, value=value, **options) == expected


@pytest.mark.parametrize(
    ("reader", "arguments", "options", "value", "message"),
    [
        pytest.param("text", (), {}, None, "NAME is not set, accepts a text", id="missing"),
        pytest.param(
            "integer",
            (1,),
            {"minimum": 0, "maximum": 9},
            "10",
            "'10', accepts a whole number from 0 to 9",
            id="beyond",
        ),
        pytest.param(
            "integer",
            (1,),
            {"minimum": 0, "maximum": 9},
            "one",
            "'one', accepts a whole number",
            id="no number",
        ),
        pytest.param("flag", (), {"default": True}, "maybe", "'maybe', accepts true or false", id="no flag"),
        pytest.param("choice", ("a", ("a", "b")), {}, "c", "'c', accepts one of a, b", id="no choice"),
        pytest.param(
            "secret_url",
            (),
            {"schemes": ("http", "https")},
            "ftp://user:hidden@x",
            "not such a URL, accepts a URL that begins with http:// or https://",
            id="other scheme",
        ),
        pytest.param("secret", (), {}, None, "NAME is not set, accepts at least 32", id="missing secret"),
    ],
)
def test_reader_refuses_naming_variable_and_what_it_accepts(reader, arguments, options, value, message):
    with pytest.raises(InvalidSetting) as caught:
        read(reader, *arguments, value=value, **options)
    assert "environment variable NAME is" in caught.value.detail
    assert message in caught.value.detail
    assert "hidden" not in caught.value.detail


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        pytest.param(GOOD_SECRET, "", id="random"),
        pytest.param("your-super-secret-key", "a sample value", id="the documentation's"),
        pytest.param("django-insecure-" + GOOD_SECRET, "a sample value", id="what startproject writes"),
        pytest.param("CHANGEME" + GOOD_SECRET, "a sample value", id="to be replaced"),
        pytest.param(GOOD_SECRET[:31], "31 characters long", id="short"),
        pytest.param("ab" * 20, "only 2 different characters", id="repetitive"),
    ],
)
def test_fault_of_secret(value, fault):
    assert fault in fault_of_secret(value)
    assert bool(fault_of_secret(value)) == bool(fault)


PREPARING = {"server_side_binding": True, "prepare_threshold": 5}


def test_secret_may_come_from_a_file(tmp_path):
    (tmp_path / "secret").write_text(GOOD_SECRET + "\n")
    assert Environment({"NAME_FILE": str(tmp_path / "secret")}).secret("NAME") == GOOD_SECRET


@pytest.mark.parametrize(
    ("contents", "message"),
    [
        pytest.param(None, "No such file", id="missing"),
        pytest.param(b"\n", "an empty file", id="empty"),
        pytest.param(b"\xff\xfe\x00", "codec can't decode", id="not text"),
    ],
)
def test_unusable_file_is_refused(tmp_path, contents, message):
    if contents is not None:
        (tmp_path / "secret").write_bytes(contents)
    with pytest.raises(InvalidSetting, match=message):
        Environment({"NAME_FILE": str(tmp_path / "secret")}).secret("NAME")


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        pytest.param(
            "postgresql://me:p%40ss@db:5433/site?sslmode=require",
            {
                "HOST": "db",
                "PORT": "5433",
                "USER": "me",
                "PASSWORD": "p@ss",
                "OPTIONS": PREPARING | {"sslmode": "require"},
            },
            id="over the network",
        ),
        pytest.param(
            "postgresql://me@/site?host=/srv/my+state",
            {"HOST": "/srv/my state", "PORT": "", "USER": "me", "PASSWORD": "", "OPTIONS": PREPARING},
            id="over a socket",
        ),
    ],
)
def test_database_url(url, expected):
    described = postgres_from_url(url)
    assert described["NAME"] == "site"
    assert {name: described[name] for name in expected} == expected


def test_database_url_without_a_name_is_refused():
    with pytest.raises(InvalidSetting, match="without a database name"):
        postgres_from_url("postgresql://me@host")


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        pytest.param("redis://host:6379/1", "redis://host:6379/1", id="network address stays"),
        pytest.param("unix:///run/v.sock?db=3", "redis+socket:///run/v.sock?virtual_host=3", id="socket"),
        pytest.param(
            "unix://:word@/run/v.sock",
            "redis+socket:///run/v.sock?virtual_host=0&password=word",
            id="password",
        ),
    ],
)
def test_broker_url(url, expected):
    assert broker_from_redis(url) == expected
