import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    """Columns that may be empty, which both databases add without writing any row."""

    dependencies = [
        ('calls', '0012_contact_knowledge'),
    ]

    operations = [
        migrations.AddField(
            model_name='call',
            name='taken_at',
            field=models.DateTimeField(null=True, verbose_name='taken'),
        ),
        migrations.AddField(
            model_name='call',
            name='taken_by',
            field=models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='taken by'),
        ),
        migrations.AddField(
            model_name='person',
            name='away_since',
            field=models.DateTimeField(editable=False, null=True),
        ),
        migrations.AddField(
            model_name='person',
            name='away_until',
            field=models.DateTimeField(editable=False, null=True),
        ),
    ]
