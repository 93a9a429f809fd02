from django.db import migrations

from alertsite.tenancy.row_security import IsolateTenants

TABLES = (
    "playbook",
    "playbookversion",
    "healingpolicy",
    "healingcue",
    "healingrun",
    "healingstep",
    "healingcall",
    "approval",
)


class Migration(migrations.Migration):
    """Row-level security on every tenant table of the app."""

    dependencies = [("healing", "0001_initial")]
    operations = [IsolateTenants(f"healing_{table}") for table in TABLES]
