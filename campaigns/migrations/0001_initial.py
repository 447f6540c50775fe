import datetime
import django.db.models.deletion
import recipients.validators
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('recipients', '0001_initial'),
        ('templates_app', '0001_initial'),
    ]

    operations = [
        migrations.CreateModel(
            name='Sender',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('display_name', models.CharField(blank=True, max_length=200, validators=[recipients.validators.validate_header_text])),
                ('address', models.CharField(max_length=254)),
                ('reply_to', models.CharField(blank=True, max_length=254)),
                ('envelope_domain', models.CharField(blank=True, help_text="Domain of the envelope sender, where bounces arrive. Empty: the address's own.", max_length=253)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
            ],
        ),
        migrations.CreateModel(
            name='Campaign',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=200, validators=[recipients.validators.validate_header_text])),
                ('status', models.CharField(choices=[('draft', 'Draft'), ('scheduled', 'Scheduled'), ('finished', 'Finished'), ('cancelled', 'Cancelled')], default='draft', editable=False, max_length=9)),
                ('next_fire_at', models.DateTimeField(blank=True, editable=False, null=True)),
                ('cron', models.CharField(blank=True, editable=False, help_text='Empty: it is sent once.', max_length=100)),
                ('time_zone', models.CharField(default='UTC', editable=False, max_length=64)),
                ('late_limit', models.DurationField(default=datetime.timedelta(days=1), help_text='A run that begins later than this after its time waits for a person.')),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('updated_at', models.DateTimeField(auto_now=True)),
                ('lists', models.ManyToManyField(related_name='campaigns', to='recipients.mailinglist')),
                ('template', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, to='templates_app.emailtemplate')),
                ('version', models.ForeignKey(blank=True, editable=False, help_text='The content, frozen when the campaign was scheduled.', null=True, on_delete=django.db.models.deletion.PROTECT, to='templates_app.templateversion')),
                ('sender', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, to='campaigns.sender')),
            ],
        ),
        migrations.CreateModel(
            name='Run',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('occurrence', models.DateTimeField(help_text='The time at which it was due.')),
                ('status', models.CharField(choices=[('preparing', 'Preparing'), ('sending', 'Sending'), ('paused', 'Paused'), ('held', 'Held'), ('completed', 'Completed'), ('cancelled', 'Cancelled')], default='preparing', max_length=9)),
                ('held_reason', models.CharField(blank=True, max_length=200)),
                ('released_at', models.DateTimeField(blank=True, editable=False, null=True)),
                ('sender_domain', models.CharField(editable=False, max_length=253)),
                ('snapshot_cursor', models.BigIntegerField(default=0, editable=False)),
                ('audience', models.PositiveIntegerField(default=0, editable=False)),
                ('prepared_at', models.DateTimeField(blank=True, null=True)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('started_at', models.DateTimeField(blank=True, null=True)),
                ('finished_at', models.DateTimeField(blank=True, null=True)),
                ('campaign', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='runs', to='campaigns.campaign')),
                ('version', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, to='templates_app.templateversion')),
            ],
        ),
        migrations.CreateModel(
            name='Page',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('number', models.PositiveIntegerField()),
                ('first_delivery', models.BigIntegerField()),
                ('last_delivery', models.BigIntegerField()),
                ('state', models.CharField(choices=[('waiting', 'Waiting'), ('open', 'Open'), ('closed', 'Closed')], default='waiting', max_length=7)),
                ('left', models.PositiveIntegerField(default=0)),
                ('moved_at', models.DateTimeField(blank=True, null=True)),
                ('run', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='pages', to='campaigns.run')),
            ],
        ),
        migrations.CreateModel(
            name='Transport',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=100)),
                ('encrypted_url', models.TextField(editable=False)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('name',), name='transport_name_unique')],
            },
        ),
        migrations.AddField(
            model_name='sender',
            name='transport',
            field=models.ForeignKey(blank=True, help_text="Empty: the installation's own, from EMAIL_URL.", null=True, on_delete=django.db.models.deletion.PROTECT, to='campaigns.transport'),
        ),
        migrations.AddIndex(
            model_name='run',
            index=models.Index(condition=models.Q(('status__in', ['preparing', 'sending', 'paused', 'held'])), fields=['id'], name='run_active'),
        ),
        migrations.AddConstraint(
            model_name='run',
            constraint=models.UniqueConstraint(fields=('campaign', 'occurrence'), name='run_occurrence_unique'),
        ),
        migrations.AddConstraint(
            model_name='run',
            constraint=models.CheckConstraint(condition=models.Q(('status__in', ['preparing', 'sending', 'paused', 'held', 'completed', 'cancelled'])), name='run_status_known'),
        ),
        migrations.AddIndex(
            model_name='page',
            index=models.Index(condition=models.Q(('state__in', ['waiting', 'open'])), fields=['run', 'number'], name='page_unclosed'),
        ),
        migrations.AddConstraint(
            model_name='page',
            constraint=models.UniqueConstraint(fields=('run', 'number'), name='page_number_unique'),
        ),
        migrations.AddConstraint(
            model_name='page',
            constraint=models.CheckConstraint(condition=models.Q(('state__in', ['waiting', 'open', 'closed'])), name='page_state_known'),
        ),
        migrations.AddConstraint(
            model_name='page',
            constraint=models.CheckConstraint(condition=models.Q(('first_delivery__lte', models.F('last_delivery'))), name='page_range_ordered'),
        ),
        migrations.AddIndex(
            model_name='campaign',
            index=models.Index(condition=models.Q(('status', 'scheduled')), fields=['next_fire_at'], name='campaign_due'),
        ),
        migrations.AddConstraint(
            model_name='campaign',
            constraint=models.CheckConstraint(condition=models.Q(('status__in', ['draft', 'scheduled', 'finished', 'cancelled'])), name='campaign_status_known'),
        ),
        migrations.AddConstraint(
            model_name='campaign',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('status', 'scheduled'), _negated=True), ('version__isnull', False), _connector='OR'), name='campaign_scheduled_has_version'),
        ),
        migrations.AddConstraint(
            model_name='campaign',
            constraint=models.CheckConstraint(condition=models.Q(('next_fire_at__isnull', True), ('status', 'scheduled'), _connector='OR'), name='campaign_fires_only_when_scheduled'),
        ),
        migrations.AddConstraint(
            model_name='sender',
            constraint=models.UniqueConstraint(fields=('display_name', 'address'), name='sender_mailbox_unique'),
        ),
    ]
