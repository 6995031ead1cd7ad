import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('calls', '0010_push_subscription'),
    ]

    operations = [
        migrations.AddField(
            model_name='team',
            name='follow_up',
            field=models.CharField(choices=[('hand', 'by hand only'), ('missed', 'missed calls'), ('unanswered', 'missed and rejected calls')], db_default='hand', default='hand', help_text="Which calls put a customer on the team's list by themselves, from now on. Missed: they rang until the end, or the vendor refused the reject. Rejected: by a person or a rule, confirmed or not. Calls that the vendor said have ended are neither.", max_length=10, verbose_name='to follow up'),
        ),
        migrations.AddField(
            model_name='team',
            name='follow_up_since',
            field=models.DateTimeField(editable=False, null=True),
        ),
        migrations.AlterField(
            model_name='purge',
            name='what',
            field=models.CharField(choices=[('calls', 'calls'), ('attempts', 'reject attempts'), ('notices', 'raw notices'), ('notes', 'notes'), ('follow_ups', 'follow-ups'), ('contacts', 'contacts')], max_length=10, verbose_name='what'),
        ),
        migrations.CreateModel(
            name='FollowUp',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('added_at', models.DateTimeField(verbose_name='added')),
                ('taken_at', models.DateTimeField(null=True, verbose_name='taken')),
                ('done_at', models.DateTimeField(null=True, verbose_name='done')),
                ('note', models.TextField(blank=True, max_length=2000, verbose_name='note')),
                ('added_by', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='added by')),
                ('call', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='follow_ups', to='calls.call', verbose_name='call')),
                ('contact', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='follow_ups', to='calls.contact', verbose_name='contact')),
                ('done_by', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='done by')),
                ('taken_by', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='taken by')),
                ('team', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='calls.team', verbose_name='team')),
            ],
            options={
                'verbose_name': 'follow-up',
                'verbose_name_plural': 'follow-ups',
                'ordering': ['-id'],
                'indexes': [models.Index(fields=['done_at', 'added_at', 'id'], name='follow_up_by_time')],
                'constraints': [models.UniqueConstraint(condition=models.Q(('done_at', None), ('team__isnull', False)), fields=('contact', 'team'), name='follow_up_open_once'), models.UniqueConstraint(condition=models.Q(('done_at', None), ('team', None)), fields=('contact',), name='follow_up_open_once_teamless')],
            },
        ),
    ]
