from django.db import migrations

from alertsite.tenancy.row_security import IsolateTenants


class Migration(migrations.Migration):
    """Row-level security on the tables of notifications."""

    dependencies = [("rules", "0003_notifications")]
    operations = [
        IsolateTenants(f"rules_{table}")
        for table in (
            "notificationsettings", "escalationpolicy", "route", "mutetimeinterval", "inhibitionrule",
            "silence", "aggregationgroup", "groupedalert", "toldalert", "suppression", "escalation",
            "escalationstep", "alertaction", "feedback", "incident", "incidentalert", "person", "team",
            "oncallschedule", "oncalloverride", "heartbeat", "inboundhook",
        )
    ]
