from django.db import migrations

from alertsite.tenancy.row_security import VISIBLE

RENEW = f"""
DO $$
DECLARE held record;
BEGIN
    FOR held IN
        SELECT tablename AS name, CASE tablename WHEN 'tenancy_tenant' THEN 'id' ELSE 'tenant_id' END AS owner
        FROM pg_policies WHERE policyname = 'tenant_isolation' AND schemaname = current_schema()
    LOOP
        EXECUTE format(
            'ALTER POLICY tenant_isolation ON %I USING ({VISIBLE.replace("'", "''").format(column="%I")})',
            held.name, held.owner
        );
    END LOOP;
END $$;
"""  # noqa: S608 (constants of the project)


class Migration(migrations.Migration):
    """The policies of tables that are there already; later ones are made so."""

    dependencies = [("tenancy", "0003_report_retention")]
    operations = [migrations.RunSQL(RENEW, migrations.RunSQL.noop)]
