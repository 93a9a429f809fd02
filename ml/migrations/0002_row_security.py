from django.db import migrations

from alertsite.tenancy.row_security import IsolateTenants


class Migration(migrations.Migration):
    """Row-level security on every tenant table of the app."""

    dependencies = [("ml", "0001_initial")]
    operations = [IsolateTenants(f"ml_{table}") for table in ("modelgroup", "modelversion")]
