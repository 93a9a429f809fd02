from django.db import migrations

from alertsite.tenancy.row_security import IsolateTenants


class Migration(migrations.Migration):
    """Row-level security on every tenant table of the app."""

    dependencies = [("rules", "0001_initial")]
    operations = [
        IsolateTenants(f"rules_{table}")
        for table in (
            "rulegroup", "rule", "ruleversion", "shard", "shardlayout", "ledgerentry", "alertinstance",
            "alerttransition", "receiver", "outboxmessage", "deliveryattempt", "seriesblock",
        )
    ]
