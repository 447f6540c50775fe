import campaigns.queues
import datetime
import django.core.validators
import recipients.validators
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
    ]

    operations = [
        migrations.CreateModel(
            name='AcceptedWarning',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('fingerprint', models.CharField(max_length=64)),
                ('name', models.CharField(max_length=50)),
                ('accepted_by', models.CharField(max_length=150)),
                ('accepted_at', models.DateTimeField()),
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
                ('priority', models.CharField(choices=[('campaign', 'Campaign'), ('transactional', 'Transactional: urgent, waits for no other campaign')], default='campaign', max_length=13)),
                ('late_limit', models.DurationField(default=datetime.timedelta(days=1), help_text='A run that begins later than this after its time waits for a person.')),
                ('time_to_live', models.DurationField(default=datetime.timedelta(days=3), help_text='What is not delivered so long after a run began has failed.', validators=[django.core.validators.MinValueValidator(datetime.timedelta(seconds=60))])),
                ('unconfirmed_policy', models.CharField(choices=[('hold', 'leave it to a person'), ('resend', 'send it again, once')], default='hold', help_text='Where the connection broke after the message was handed over: sent again, it may arrive twice.', max_length=6)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('updated_at', models.DateTimeField(auto_now=True)),
            ],
        ),
        migrations.CreateModel(
            name='CampaignAttachment',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('position', models.PositiveSmallIntegerField(default=0)),
                ('is_wanted', models.BooleanField(default=True, editable=False)),
            ],
            options={
                'verbose_name': 'attachment',
            },
        ),
        migrations.CreateModel(
            name='DKIMKey',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('domain', models.CharField(max_length=253)),
                ('selector', models.CharField(max_length=63)),
                ('algorithm', models.CharField(choices=[('rsa-sha256', 'RSA (2048 bits)'), ('ed25519-sha256', 'Ed25519')], max_length=14)),
                ('encrypted_key', models.TextField(editable=False)),
                ('is_active', models.BooleanField(default=False)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
            ],
            options={
                'verbose_name': 'DKIM key',
            },
        ),
        migrations.CreateModel(
            name='DomainGroup',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('domain', models.CharField(max_length=253)),
                ('group', models.CharField(help_text='A name like google, or a domain that stands for all of them.', max_length=253)),
            ],
        ),
        migrations.CreateModel(
            name='DomainLimit',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('second_at', models.DateTimeField(editable=False, null=True)),
                ('second_used', models.PositiveIntegerField(default=0, editable=False)),
                ('hour_at', models.DateTimeField(editable=False, null=True)),
                ('hour_used', models.PositiveIntegerField(default=0, editable=False)),
                ('day_at', models.DateTimeField(editable=False, null=True)),
                ('day_used', models.PositiveIntegerField(default=0, editable=False)),
                ('spread_until', models.DateTimeField(editable=False, null=True)),
                ('group', models.CharField(help_text='example.org, or a group: google, microsoft, yahoo, apple …', max_length=253, verbose_name='domain or group')),
                ('per_second', models.PositiveIntegerField(blank=True, help_text='Messages a second. Empty: no limit.', null=True, validators=[django.core.validators.MinValueValidator(1)])),
                ('per_hour', models.PositiveIntegerField(blank=True, help_text='Messages in an hour of the clock. Empty: no limit.', null=True, validators=[django.core.validators.MinValueValidator(1)])),
                ('per_day', models.PositiveIntegerField(blank=True, help_text='Messages in a day of UTC. Empty: no limit.', null=True, validators=[django.core.validators.MinValueValidator(1)])),
            ],
        ),
        migrations.CreateModel(
            name='Gate',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('second_at', models.DateTimeField(editable=False, null=True)),
                ('second_used', models.PositiveIntegerField(default=0, editable=False)),
                ('hour_at', models.DateTimeField(editable=False, null=True)),
                ('hour_used', models.PositiveIntegerField(default=0, editable=False)),
                ('day_at', models.DateTimeField(editable=False, null=True)),
                ('day_used', models.PositiveIntegerField(default=0, editable=False)),
                ('spread_until', models.DateTimeField(editable=False, null=True)),
                ('group', models.CharField(blank=True, default='', max_length=253)),
                ('shut_until', models.DateTimeField(null=True)),
                ('shut_at', models.DateTimeField(null=True)),
                ('trips', models.PositiveSmallIntegerField(default=0)),
                ('allowance', models.PositiveIntegerField(null=True)),
                ('cause', models.CharField(blank=True, default='', max_length=20)),
                ('answer', models.TextField(blank=True, default='')),
            ],
        ),
        migrations.CreateModel(
            name='Instance',
            fields=[
                ('id', models.PositiveSmallIntegerField(default=1, editable=False, primary_key=True, serialize=False)),
                ('installation', models.CharField(blank=True, max_length=200)),
                ('place', models.CharField(max_length=100)),
                ('confirmed_at', models.DateTimeField(null=True)),
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
                ('resume_at', models.DateTimeField(blank=True, null=True)),
            ],
        ),
        migrations.CreateModel(
            name='Preflight',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('fingerprint', models.CharField(max_length=64)),
                ('status', models.CharField(choices=[('running', 'Running'), ('done', 'Done'), ('stopped', 'Stopped')], default='running', max_length=7)),
                ('started_by', models.CharField(max_length=150)),
                ('started_at', models.DateTimeField()),
                ('moved_at', models.DateTimeField()),
                ('finished_at', models.DateTimeField(blank=True, null=True)),
            ],
        ),
        migrations.CreateModel(
            name='PreflightStep',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(choices=[('authentication', 'Authentication'), ('message', 'Message'), ('links', 'Links'), ('audience', 'Audience')], max_length=14)),
                ('number', models.PositiveIntegerField(default=0)),
                ('after', models.BigIntegerField(default=0)),
                ('upto', models.BigIntegerField(default=0)),
                ('attempts', models.PositiveSmallIntegerField(default=0)),
                ('leased_until', models.DateTimeField(null=True)),
                ('done_at', models.DateTimeField(null=True)),
                ('findings', models.JSONField(default=list)),
                ('tally', models.JSONField(default=dict)),
            ],
        ),
        migrations.CreateModel(
            name='Route',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('weight', models.PositiveSmallIntegerField(default=1, help_text='Its share: of 3 and 1, the first takes three quarters.', validators=[django.core.validators.MinValueValidator(1)])),
            ],
        ),
        migrations.CreateModel(
            name='Run',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('occurrence', models.DateTimeField(help_text='The time at which it was due.')),
                ('status', models.CharField(choices=[('preparing', 'Preparing'), ('sending', 'Sending'), ('paused', 'Paused'), ('held', 'Held'), ('completed', 'Completed'), ('cancelled', 'Cancelled')], default='preparing', max_length=9)),
                ('held_reason', models.CharField(blank=True, max_length=200)),
                ('obstacle', models.CharField(blank=True, editable=False, max_length=200)),
                ('released_at', models.DateTimeField(blank=True, editable=False, null=True)),
                ('sender_domain', models.CharField(editable=False, max_length=253)),
                ('snapshot_cursor', models.BigIntegerField(default=0, editable=False)),
                ('audience', models.PositiveIntegerField(default=0, editable=False)),
                ('prepared_at', models.DateTimeField(blank=True, null=True)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('started_at', models.DateTimeField(blank=True, null=True)),
                ('finished_at', models.DateTimeField(blank=True, null=True)),
            ],
        ),
        migrations.CreateModel(
            name='RunAttachment',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=100)),
                ('position', models.PositiveSmallIntegerField()),
            ],
        ),
        migrations.CreateModel(
            name='Sender',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('display_name', models.CharField(blank=True, max_length=200, validators=[recipients.validators.validate_header_text])),
                ('address', models.CharField(max_length=254)),
                ('reply_to', models.CharField(blank=True, max_length=254)),
                ('envelope_domain', models.CharField(blank=True, help_text="Domain of the envelope sender, where bounces arrive. Empty: the address's own.", max_length=253)),
                ('dkim_domain', models.CharField(blank=True, help_text='Its active keys sign the messages. Empty: the relay does.', max_length=253, verbose_name='DKIM domain')),
                ('postal_address', models.CharField(blank=True, help_text='What {{ sender_address }} writes. The law asks for it in many countries.', max_length=300)),
                ('queue', models.CharField(blank=True, help_text='One that QUEUES names. Its workers send what is not urgent. Empty: campaigns.', max_length=50, validators=[campaigns.queues.validate_queue])),
                ('created_at', models.DateTimeField(auto_now_add=True)),
            ],
        ),
        migrations.CreateModel(
            name='Slot',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('lease', models.UUIDField()),
                ('connections', models.PositiveIntegerField()),
                ('until', models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name='Transport',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=100)),
                ('encrypted_url', models.TextField(editable=False)),
                ('per_second', models.PositiveIntegerField(blank=True, help_text='Messages a second. Empty: no limit.', null=True, validators=[django.core.validators.MinValueValidator(1)])),
                ('per_hour', models.PositiveIntegerField(blank=True, help_text='Messages in an hour of the clock. Empty: no limit.', null=True, validators=[django.core.validators.MinValueValidator(1)])),
                ('per_day', models.PositiveIntegerField(blank=True, help_text='Messages in a day of UTC. Empty: no limit.', null=True, validators=[django.core.validators.MinValueValidator(1)])),
                ('connections', models.PositiveIntegerField(blank=True, help_text='Connections at the same time, of all workers. Empty: no limit.', null=True, validators=[django.core.validators.MinValueValidator(1)])),
                ('message_mb', models.PositiveIntegerField(blank=True, help_text='Megabytes of one message as it is sent, attachments and all. Empty: as MESSAGE_MB says.', null=True, validators=[django.core.validators.MinValueValidator(1)])),
                ('created_at', models.DateTimeField(auto_now_add=True)),
            ],
        ),
    ]
