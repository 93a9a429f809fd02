from django.db import migrations

from alertsite.tenancy.row_security import IsolateTenants


class Migration(migrations.Migration):
    """Row-level security, and a trigger that refuses to change or remove what was recorded."""

    dependencies = [("audit", "0001_initial")]
    operations = [
        IsolateTenants("audit_auditevent"),
        migrations.RunSQL(
            """
            CREATE FUNCTION audit_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN RAISE EXCEPTION 'audit events are append-only'; END $$;
            CREATE TRIGGER audit_append_only BEFORE UPDATE ON audit_auditevent
                FOR EACH ROW EXECUTE FUNCTION audit_refuse_change();
            """,
            """
            DROP TRIGGER audit_append_only ON audit_auditevent;
            DROP FUNCTION audit_refuse_change();
            """,
        ),
    ]
