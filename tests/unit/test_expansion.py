"""A new schema is proven against the previous release's workers."""

from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db.migrations.loader import MigrationLoader

from alertsite.runtime import schema as schema_module
from alertsite.runtime.expansion import Column, Schema, Table, obstacles
from alertsite.runtime.schema import UnknownRelease, schema_at, schema_of_migrations, store, stored

TEXT = Column(type="varchar(20)", nullable=False, filled=False)


def schema(columns, constraints=(), *, table="rule"):
    return Schema(
        release="1",
        migrations=frozenset(),
        tables={table: Table(columns=columns, constraints=frozenset(constraints))},
    )


def changed(**changes):
    return {"name": TEXT.model_copy(update=changes)}


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        pytest.param(schema({"name": TEXT}), [], id="nothing changed"),
        pytest.param(
            schema({"name": TEXT, "a": TEXT.model_copy(update={"nullable": True})}), [], id="nullable"
        ),
        pytest.param(schema({"name": TEXT, "a": TEXT.model_copy(update={"filled": True})}), [], id="default"),
        pytest.param(
            schema({"name": TEXT, "a": TEXT}),
            ["rule.a: added, and neither nullable nor with a database default"],
            id="needed column",
        ),
        pytest.param(schema({}), ["rule.name: the column is gone or renamed"], id="dropped column"),
        pytest.param(schema({}, table="law"), ["rule: the table is gone or renamed"], id="renamed table"),
        pytest.param(schema(changed(type="varchar(30)")), [], id="wider"),
        pytest.param(schema(changed(type="text")), [], id="unbounded"),
        pytest.param(
            schema(changed(type="varchar(10)")), ["rule.name: varchar(20) became varchar(10)"], id="narrower"
        ),
        pytest.param(schema(changed(type="uuid")), ["rule.name: varchar(20) became uuid"], id="another type"),
        pytest.param(schema(changed(unique=True)), ["rule.name: unique now"], id="unique"),
        pytest.param(
            schema({"name": TEXT}, ["once"]),
            ["rule: constraint once is new, and older code may break it"],
            id="new constraint",
        ),
    ],
)
def test_schema_may_grow_and_nothing_else(after, expected):
    assert obstacles(schema({"name": TEXT}), after) == expected


def test_column_that_was_nullable_stays_so():
    before = schema(changed(nullable=True))

    assert obstacles(before, schema({"name": TEXT})) == ["rule.name: no longer nullable"]


def test_command_lets_this_code_pass_on_its_own_schema(tmp_path):
    out = StringIO()

    call_command("release", "--directory", str(tmp_path), "snapshot", "1.0", stdout=out)
    call_command("release", "--directory", str(tmp_path), "check", "--since", "1.0", stdout=out)

    assert "workers of release 1.0 can go on" in out.getvalue()


def test_command_refuses_when_older_workers_read_what_is_gone(tmp_path):
    now = schema_of_migrations("0.9")
    rules = now.tables["rules_rule"]
    older = rules.model_copy(update={"columns": {**rules.columns, "colour": TEXT}})
    store(now.model_copy(update={"tables": {**now.tables, "rules_rule": older}}), tmp_path)
    told = StringIO()

    with pytest.raises(CommandError, match="1 changes"):
        call_command("release", "--directory", str(tmp_path), "check", "--since", "0.9", stderr=told)

    assert "rules_rule.colour: the column is gone or renamed" in told.getvalue()


def before(monkeypatch, had):
    """As if git had at the release those migrations alone that `had` takes."""
    files = map(schema_module._file_of, MigrationLoader(None).disk_migrations)
    names = [name for name in files if name is not None and had(name)]
    monkeypatch.setattr(schema_module, "_files_at", lambda _: names)


def test_the_migrations_that_git_had_say_what_the_schema_was(monkeypatch, tmp_path):
    later = {"rules": "0015", "healing": "0004"}
    before(monkeypatch, lambda name: Path(name).name < later.get(name.split("/")[0], "9"))

    then = schema_at("v1")

    assert "rules_size" not in then.tables
    assert "healing_healingrun" in then.tables
    assert "rules_size" in schema_of_migrations("now").tables
    out = StringIO()
    call_command("release", "--directory", str(tmp_path), "check", "--since", "v1", stdout=out)
    assert "healing.0004_automations: IsolateTenants is not judged" in out.getvalue()
    assert "workers of release v1 can go on" in out.getvalue()


def test_a_contraction_since_a_release_in_git_is_found(monkeypatch):
    """The sixth migration of rules drops what workers before it read."""
    before(
        monkeypatch, lambda name: name < "rules/migrations/0006" and not name.startswith(("healing", "ml"))
    )

    assert "rules_outboxmessage.transition_id: the column is gone or renamed" in obstacles(
        schema_at("v0"), schema_of_migrations("now")
    )


def test_a_released_migration_that_is_gone_is_refused(monkeypatch):
    monkeypatch.setattr(schema_module, "_files_at", lambda _: ["rules/migrations/0001_beginning.py"])

    with pytest.raises(UnknownRelease, match=r"gone or renamed: rules/migrations/0001_beginning\.py"):
        schema_at("v1")


@pytest.mark.parametrize("release", ["no-such-release", "--help"])
def test_a_release_that_nobody_knows_is_refused(release, tmp_path):
    with pytest.raises(UnknownRelease, match=release):
        stored(release, tmp_path)
