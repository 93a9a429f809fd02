from django.db import migrations

from alertsite.tenancy.row_security import IsolateTenants


class Migration(migrations.Migration):
    """Row-level security on every tenant table of the app."""

    dependencies = [("tenancy", "0001_initial")]
    operations = [
        IsolateTenants("tenancy_tenant", "id"),
        IsolateTenants("tenancy_quota"),
        IsolateTenants("tenancy_membership"),
        IsolateTenants("tenancy_apikey"),
    ]
