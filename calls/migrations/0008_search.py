from django.db import migrations


class Migration(migrations.Migration):

    dependencies = [
        ('calls', '0007_rollups'),
    ]

    operations = []
