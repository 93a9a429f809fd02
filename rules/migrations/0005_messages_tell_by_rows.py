from django.db import migrations

# What a message tells of stood in a column of its own: one transition a message.
_TELL = """
SET LOCAL alertsite.platform = 'on';
INSERT INTO rules_toldalert (tenant_id, message_id, transition_id, alert_id)
SELECT message.tenant_id, message.id, message.transition_id, transition.alert_id
FROM rules_outboxmessage message JOIN rules_alerttransition transition ON transition.id = message.transition_id
ON CONFLICT DO NOTHING
"""


class Migration(migrations.Migration):
    """A message tells of many transitions, by rows: copy what stands in its column for one."""

    dependencies = [("rules", "0004_notifications_row_security")]
    operations = [migrations.RunSQL(_TELL, migrations.RunSQL.noop)]
