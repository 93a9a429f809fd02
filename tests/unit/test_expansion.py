"""A new schema is proven against the previous release's workers."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from alertsite.runtime.expansion import Column, Schema, Table, obstacles
from alertsite.runtime.schema import schema_of_migrations, store

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


def test_command_names_the_releases_it_knows(tmp_path):
    with pytest.raises(CommandError, match=r"no schema of release '7'.*known: none"):
        call_command("release", "--directory", str(tmp_path), "check", "--since", "7")
