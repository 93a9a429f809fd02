from django.db import migrations


class Migration(migrations.Migration):
    """Nothing reads the column for one transition any more."""

    dependencies = [("rules", "0005_messages_tell_by_rows")]
    operations = [migrations.RemoveField("outboxmessage", "transition")]
