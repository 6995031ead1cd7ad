import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


def search_remarks(apps, schema_editor):
    """Have changes of remarks indexed. On SQLite the trigger went with the table, which was made anew for the columns; on
    PostgreSQL the index over fewer columns is of no use, and the server makes another."""
    _search(schema_editor, ["nickname", "wxid", "remark"])


def search_no_remarks(apps, schema_editor):
    _search(schema_editor, ["nickname", "wxid"])


def _search(schema_editor, columns):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("DROP INDEX IF EXISTS calls_contact_pieces")
        return
    changed = " OR ".join(f"OLD.{column} IS NOT NEW.{column}" for column in columns)
    schema_editor.execute("DROP TRIGGER IF EXISTS calls_contact_text_changed")
    schema_editor.execute(
        f"CREATE TRIGGER calls_contact_text_changed AFTER UPDATE OF {', '.join(columns)} ON calls_contact WHEN {changed}"
        " BEGIN INSERT INTO calls_changedtext (\"table\", \"row\") SELECT 'calls_contact', NEW.id WHERE NOT EXISTS"
        " (SELECT 1 FROM calls_changedtext WHERE \"table\" = 'calls_contact' AND \"row\" = NEW.id); END"
    )


class Migration(migrations.Migration):

    dependencies = [
        ('calls', '0011_follow_up'),
    ]

    operations = [
        migrations.RunPython(migrations.RunPython.noop, search_no_remarks),
        migrations.CreateModel(
            name='Avatar',
            fields=[
                ('contact', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='picture', serialize=False, to='calls.contact')),
                ('address', models.CharField(max_length=500)),
                ('tried_at', models.DateTimeField(verbose_name='fetched')),
                ('failure', models.CharField(blank=True, max_length=200)),
                ('version', models.CharField(blank=True, max_length=16)),
                ('picture', models.BinaryField()),
            ],
            options={
                'verbose_name': 'avatar',
                'verbose_name_plural': 'avatars',
            },
        ),
        migrations.AddField(
            model_name='contact',
            name='ask_after',
            field=models.DateTimeField(editable=False, null=True),
        ),
        migrations.AddField(
            model_name='contact',
            name='changed_at',
            field=models.DateTimeField(null=True, verbose_name='changed'),
        ),
        migrations.AddField(
            model_name='contact',
            name='changed_by',
            field=models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='changed by'),
        ),
        migrations.AddField(
            model_name='contact',
            name='mark',
            field=models.CharField(blank=True, choices=[('', 'no mark'), ('important', 'important'), ('blocked', 'blocked')], db_default='', default='', max_length=10, verbose_name='mark'),
        ),
        migrations.AddField(
            model_name='contact',
            name='remark',
            field=models.CharField(blank=True, db_default='', default='', max_length=60, verbose_name='remark'),
        ),
        migrations.AddField(
            model_name='contact',
            name='tags',
            field=models.JSONField(blank=True, db_default=models.Value([], models.JSONField()), default=list, verbose_name='tags'),
        ),
        migrations.RunPython(search_remarks, search_no_remarks),
    ]
