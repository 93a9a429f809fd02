from django.db import migrations

# Statement by statement, so that a storm of alerts costs one insert; tenants without playbooks for alerts get none.
CREATE = """
CREATE FUNCTION healing_cue_alerts() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO healing_healingcue (tenant_id, transition_id, created_at)
    SELECT fresh.tenant_id, fresh.id, clock_timestamp() FROM fresh
    WHERE fresh.state = 'firing' AND EXISTS (
        SELECT 1 FROM healing_playbook playbook
        WHERE playbook.tenant_id = fresh.tenant_id AND playbook.enabled AND playbook.trigger_kind = 'alert'
    );
    RETURN NULL;
END
$$;
CREATE TRIGGER healing_cue_alerts AFTER INSERT ON rules_alerttransition
REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION healing_cue_alerts();
"""
DROP = """
DROP TRIGGER healing_cue_alerts ON rules_alerttransition;
DROP FUNCTION healing_cue_alerts();
"""


class Migration(migrations.Migration):
    """An alert that begins to fire leaves a cue for playbooks, in the same transaction."""

    dependencies = [("healing", "0002_row_security"), ("rules", "0012_outbox_dead_index")]
    operations = [migrations.RunSQL(CREATE, DROP)]
