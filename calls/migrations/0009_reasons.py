import django.db.models.deletion
from django.db import migrations, models

from ._add_column import AddColumn


class Migration(migrations.Migration):

    dependencies = [
        ('calls', '0008_search'),
    ]

    operations = [
        AddColumn(
            model_name='attempt',
            name='reason',
            field=models.CharField(blank=True, db_default='', default='', max_length=40, verbose_name='reason'),
        ),
        migrations.CreateModel(
            name='Reason',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('text', models.CharField(max_length=40, verbose_name='reason')),
                ('place', models.PositiveSmallIntegerField(default=0, help_text='Smaller numbers come first; the first nine have a key.', verbose_name='place')),
                ('team', models.ForeignKey(blank=True, help_text='Whose list it is in. Without a team: in the list of all teams that have none of their own.', null=True, on_delete=django.db.models.deletion.CASCADE, related_name='reasons', to='calls.team', verbose_name='team')),
            ],
            options={
                'verbose_name': 'reason for rejecting',
                'verbose_name_plural': 'reasons for rejecting',
                'ordering': ['place', 'id'],
            },
        ),
    ]
