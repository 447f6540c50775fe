import datetime
import uuid
import django.core.validators
import django.db.models.deletion
import recipients.validators
from django.conf import settings
from django.db import migrations, models
from recipients.tables import TablesAtOnce


class Migration(TablesAtOnce):

    initial = True

    dependencies = [
        ('auth', '__first__'),
        ('campaigns', '0001_initial'),
        ('recipients', '0001_initial'),
        ('templates_app', '0001_initial'),
    ]

    operations = [
        migrations.CreateModel(
            name='Campaign',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=200, validators=[recipients.validators.validate_header_text], verbose_name='name')),
                ('status', models.CharField(choices=[('draft', 'Draft'), ('scheduled', 'Scheduled'), ('finished', 'Finished'), ('cancelled', 'Cancelled')], default='draft', editable=False, max_length=9, verbose_name='status')),
                ('next_fire_at', models.DateTimeField(blank=True, editable=False, null=True, verbose_name='next fire at')),
                ('cron', models.CharField(blank=True, editable=False, help_text='Empty: it is sent once.', max_length=100)),
                ('time_zone', models.CharField(default='UTC', editable=False, max_length=64, verbose_name='time zone')),
                ('follows_recipients', models.BooleanField(default=False, help_text="The time is that of the recipient's time zone; where none is known, of the campaign's.", verbose_name="at each recipient's own time")),
                ('wall_time', models.DateTimeField(blank=True, editable=False, null=True)),
                ('hours_from', models.TimeField(blank=True, help_text='Messages leave between these times of the day, on each day.', null=True, verbose_name='not earlier than')),
                ('hours_until', models.TimeField(blank=True, null=True, verbose_name='and not later than')),
                ('priority', models.CharField(choices=[('campaign', 'Campaign'), ('transactional', 'Transactional: urgent, waits for no other campaign')], default='campaign', max_length=13, verbose_name='priority')),
                ('late_limit', models.DurationField(default=datetime.timedelta(days=1), help_text='A run that begins later than this after its time waits for a person.', verbose_name='late limit')),
                ('time_to_live', models.DurationField(default=datetime.timedelta(days=3), help_text='What is not delivered so long after a run began has failed.', validators=[django.core.validators.MinValueValidator(datetime.timedelta(seconds=60))], verbose_name='time to live')),
                ('tracking', models.CharField(choices=[('full', 'who opened and clicked'), ('anonymous', 'how often, without telling who'), ('off', 'nothing')], default='full', help_text='Of opens and clicks. Where a list or the installation wants less, that holds.', max_length=9, verbose_name='measuring')),
                ('unconfirmed_policy', models.CharField(choices=[('hold', 'leave it to a person'), ('resend', 'send it again, once')], default='hold', help_text='Where the connection broke after the message was handed over: sent again, it may arrive twice.', max_length=6, verbose_name='unconfirmed policy')),
                ('created_at', models.DateTimeField(auto_now_add=True, verbose_name='created at')),
                ('updated_at', models.DateTimeField(auto_now=True, verbose_name='updated at')),
                ('excluded_lists', models.ManyToManyField(blank=True, related_name='excluding_campaigns', to='recipients.mailinglist', verbose_name='excluded lists')),
                ('excluded_segments', models.ManyToManyField(blank=True, related_name='excluding_campaigns', to='recipients.segment', verbose_name='excluded segments')),
                ('lists', models.ManyToManyField(blank=True, related_name='campaigns', to='recipients.mailinglist', verbose_name='lists')),
                ('segments', models.ManyToManyField(blank=True, related_name='campaigns', to='recipients.segment', verbose_name='segments')),
                ('is_stream', models.BooleanField(db_default=False, default=False, editable=False)),
                ('template', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, to='templates_app.emailtemplate', verbose_name='template')),
                ('version', models.ForeignKey(blank=True, editable=False, help_text='The content, frozen when the campaign was scheduled.', null=True, on_delete=django.db.models.deletion.PROTECT, to='templates_app.templateversion', verbose_name='version')),
                ('sender', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, to='campaigns.sender', verbose_name='sender')),
            ],
            options={
                'verbose_name': 'campaign',
                'verbose_name_plural': 'campaigns',
                'permissions': [('approve_campaign', 'Can approve what another person wants to send')],
                'indexes': [models.Index(condition=models.Q(('status', 'scheduled')), fields=['next_fire_at'], name='campaign_due')],
                'constraints': [models.CheckConstraint(condition=models.Q(('status__in', ['draft', 'scheduled', 'finished', 'cancelled'])), name='campaign_status_known'), models.CheckConstraint(condition=models.Q(('is_stream', True), ('template__isnull', False), _connector='XOR'), name='campaign_stream_or_template'), models.CheckConstraint(condition=models.Q(('is_stream', False), models.Q(('status', 'scheduled'), _negated=True), _connector='OR'), name='campaign_stream_never_fires'), models.UniqueConstraint(condition=models.Q(('is_stream', True)), fields=('sender',), name='campaign_stream_unique'), models.CheckConstraint(condition=models.Q(('priority__in', ['campaign', 'transactional'])), name='campaign_priority_known'), models.CheckConstraint(condition=models.Q(('tracking__in', ['full', 'anonymous', 'off'])), name='campaign_tracking_known'), models.CheckConstraint(condition=models.Q(('unconfirmed_policy__in', ['hold', 'resend'])), name='campaign_unconfirmed_policy_known'), models.CheckConstraint(condition=models.Q(('next_fire_at__isnull', True), ('status', 'scheduled'), _connector='OR'), name='campaign_fires_only_when_scheduled'), models.CheckConstraint(condition=models.Q(models.Q(('hours_from', None), ('hours_until', None)), models.Q(('hours_from__isnull', False), ('hours_until__isnull', False), models.Q(('hours_from', models.F('hours_until')), _negated=True)), _connector='OR'), name='campaign_hours_are_a_span'), models.CheckConstraint(condition=models.Q(models.Q(('status', 'scheduled'), _negated=True), ('version__isnull', False), _connector='OR'), name='campaign_scheduled_has_version')],
            },
        ),
        migrations.CreateModel(
            name='AcceptedWarning',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('fingerprint', models.CharField(max_length=64)),
                ('name', models.CharField(max_length=50)),
                ('accepted_by', models.CharField(max_length=150)),
                ('accepted_at', models.DateTimeField()),
                ('campaign', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='accepted_warnings', to='campaigns.campaign')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('campaign', 'fingerprint', 'name'), name='accepted_warning_unique')],
            },
        ),
        migrations.CreateModel(
            name='Approval',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('fingerprint', models.CharField(max_length=64)),
                ('asked_by', models.CharField(max_length=150)),
                ('asked_at', models.DateTimeField()),
                ('approved_by', models.CharField(blank=True, max_length=150)),
                ('approved_at', models.DateTimeField(blank=True, null=True)),
                ('campaign', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='approvals', to='campaigns.campaign')),
            ],
            options={
                'constraints': [models.CheckConstraint(condition=models.Q(('approved_by', models.F('asked_by')), _negated=True), name='approval_by_another_person'), models.CheckConstraint(condition=models.Q(models.Q(('approved_at', None), ('approved_by', '')), models.Q(models.Q(('approved_by', ''), _negated=True), ('approved_at__isnull', False)), _connector='OR'), name='approval_has_time'), models.UniqueConstraint(fields=('campaign', 'fingerprint'), name='approval_unique')],
            },
        ),
        migrations.CreateModel(
            name='CampaignAttachment',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('position', models.PositiveSmallIntegerField(default=0)),
                ('is_wanted', models.BooleanField(default=True, editable=False)),
                ('blob', models.ForeignKey(editable=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='templates_app.mediablob')),
                ('campaign', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='attachments', to='campaigns.campaign')),
                ('file', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='attachments', to='templates_app.mediafile')),
            ],
            options={
                'verbose_name': 'attachment',
                'constraints': [models.UniqueConstraint(fields=('campaign', 'file'), name='campaign_attachment_unique')],
            },
        ),
        migrations.CreateModel(
            name='DKIMKey',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('domain', models.CharField(max_length=253, verbose_name='domain')),
                ('selector', models.CharField(max_length=63, verbose_name='selector')),
                ('algorithm', models.CharField(choices=[('rsa-sha256', 'RSA (2048 bits)'), ('ed25519-sha256', 'Ed25519')], max_length=14, verbose_name='algorithm')),
                ('encrypted_key', models.TextField(editable=False)),
                ('is_active', models.BooleanField(default=False, verbose_name='is active')),
                ('created_at', models.DateTimeField(auto_now_add=True, verbose_name='created at')),
            ],
            options={
                'verbose_name_plural': 'DKIM keys',
                'verbose_name': 'DKIM key',
                'constraints': [models.UniqueConstraint(fields=('domain', 'selector'), name='dkim_selector_unique'), models.CheckConstraint(condition=models.Q(('algorithm__in', ['rsa-sha256', 'ed25519-sha256'])), name='dkim_algorithm_known')],
            },
        ),
        migrations.CreateModel(
            name='DomainGroup',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('domain', models.CharField(max_length=253, verbose_name='domain')),
                ('group', models.CharField(help_text='A name like google, or a domain that stands for all of them.', max_length=253, verbose_name='group')),
            ],
            options={
                'verbose_name': 'domain group',
                'verbose_name_plural': 'domain groups',
                'constraints': [models.UniqueConstraint(fields=('domain',), name='domain_group_domain_unique')],
            },
        ),
        migrations.CreateModel(
            name='Transport',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=100, verbose_name='name')),
                ('encrypted_url', models.TextField(editable=False)),
                ('per_second', models.PositiveIntegerField(blank=True, help_text='Messages a second. Empty: no limit.', null=True, validators=[django.core.validators.MinValueValidator(1)], verbose_name='per second')),
                ('per_hour', models.PositiveIntegerField(blank=True, help_text='Messages in an hour of the clock. Empty: no limit.', null=True, validators=[django.core.validators.MinValueValidator(1)], verbose_name='per hour')),
                ('per_day', models.PositiveIntegerField(blank=True, help_text='Messages in a day of UTC. Empty: no limit.', null=True, validators=[django.core.validators.MinValueValidator(1)], verbose_name='per day')),
                ('connections', models.PositiveIntegerField(blank=True, help_text='Connections at the same time, of all workers. Empty: no limit.', null=True, validators=[django.core.validators.MinValueValidator(1)], verbose_name='connections')),
                ('message_mb', models.PositiveIntegerField(blank=True, help_text='Megabytes of one message as it is sent, attachments and all. Empty: as MESSAGE_MB says.', null=True, validators=[django.core.validators.MinValueValidator(1)], verbose_name='message mb')),
                ('created_at', models.DateTimeField(auto_now_add=True, verbose_name='created at')),
            ],
            options={
                'verbose_name': 'transport',
                'verbose_name_plural': 'transports',
                'constraints': [models.UniqueConstraint(fields=('name',), name='transport_name_unique'), models.CheckConstraint(condition=models.Q(models.Q(('per_second__isnull', True), ('per_second__gt', 0), _connector='OR'), models.Q(('per_hour__isnull', True), ('per_hour__gt', 0), _connector='OR'), models.Q(('per_day__isnull', True), ('per_day__gt', 0), _connector='OR'), models.Q(('connections__isnull', True), ('connections__gt', 0), _connector='OR'), models.Q(('message_mb__isnull', True), ('message_mb__gt', 0), _connector='OR')), name='transport_limits_positive')],
            },
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
                ('per_second', models.PositiveIntegerField(blank=True, help_text='Messages a second. Empty: no limit.', null=True, validators=[django.core.validators.MinValueValidator(1)], verbose_name='per second')),
                ('per_hour', models.PositiveIntegerField(blank=True, help_text='Messages in an hour of the clock. Empty: no limit.', null=True, validators=[django.core.validators.MinValueValidator(1)], verbose_name='per hour')),
                ('per_day', models.PositiveIntegerField(blank=True, help_text='Messages in a day of UTC. Empty: no limit.', null=True, validators=[django.core.validators.MinValueValidator(1)], verbose_name='per day')),
                ('transport', models.ForeignKey(blank=True, help_text='Empty: what leaves by all transports together.', null=True, on_delete=django.db.models.deletion.CASCADE, to='campaigns.transport', verbose_name='transport')),
            ],
            options={
                'verbose_name': 'domain limit',
                'verbose_name_plural': 'domain limits',
                'constraints': [models.CheckConstraint(condition=models.Q(models.Q(('per_second__isnull', True), ('per_second__gt', 0), _connector='OR'), models.Q(('per_hour__isnull', True), ('per_hour__gt', 0), _connector='OR'), models.Q(('per_day__isnull', True), ('per_day__gt', 0), _connector='OR')), name='domain_limit_positive'), models.UniqueConstraint(fields=('group', 'transport'), name='domain_limit_unique', nulls_distinct=False)],
            },
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
                ('transport', models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, related_name='gates', to='campaigns.transport')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('transport', 'group'), name='gate_unique', nulls_distinct=False)],
            },
        ),
        migrations.CreateModel(
            name='Instance',
            fields=[
                ('id', models.PositiveSmallIntegerField(default=1, editable=False, primary_key=True, serialize=False)),
                ('installation', models.CharField(blank=True, max_length=200)),
                ('place', models.CharField(max_length=100)),
                ('confirmed_at', models.DateTimeField(null=True)),
            ],
            options={
                'constraints': [models.CheckConstraint(condition=models.Q(('id', 1)), name='instance_only_one')],
            },
        ),
        migrations.CreateModel(
            name='Message',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('key', models.CharField(blank=True, max_length=254)),
                ('language', models.CharField(blank=True, max_length=35)),
                ('fields', models.JSONField(default=dict)),
                ('look_at', models.DateTimeField(null=True)),
                ('created_at', models.DateTimeField()),
            ],
            options={
                'permissions': [('send_message', 'Can send single messages')],
                'default_permissions': ('view',),
                'indexes': [models.Index(condition=models.Q(('look_at__isnull', False)), fields=['look_at'], name='message_open'), models.Index(condition=models.Q(('key', ''), _negated=True), fields=['key'], name='message_key'), models.Index(fields=['created_at'], name='message_created')],
            },
        ),
        migrations.CreateModel(
            name='Run',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('occurrence', models.DateTimeField(help_text='The time at which it was due.', verbose_name='occurrence')),
                ('status', models.CharField(choices=[('preparing', 'Preparing'), ('sending', 'Sending'), ('paused', 'Paused'), ('held', 'Held'), ('completed', 'Completed'), ('cancelled', 'Cancelled')], default='preparing', max_length=9, verbose_name='status')),
                ('held_reason', models.CharField(blank=True, max_length=200)),
                ('obstacle', models.CharField(blank=True, editable=False, max_length=200)),
                ('released_at', models.DateTimeField(blank=True, editable=False, null=True)),
                ('sent_before', models.PositiveIntegerField(default=0, editable=False)),
                ('failed_before', models.PositiveIntegerField(default=0, editable=False)),
                ('warning', models.CharField(blank=True, default='', editable=False, max_length=200)),
                ('tracking', models.CharField(choices=[('full', 'who opened and clicked'), ('anonymous', 'how often, without telling who'), ('off', 'nothing')], default='off', editable=False, max_length=9)),
                ('sender_domain', models.CharField(editable=False, max_length=253)),
                ('wall_time', models.DateTimeField(blank=True, editable=False, null=True)),
                ('snapshot_cursor', models.BigIntegerField(default=0, editable=False)),
                ('audience', models.PositiveIntegerField(default=0, editable=False, verbose_name='audience')),
                ('prepared_at', models.DateTimeField(blank=True, null=True, verbose_name='prepared at')),
                ('created_at', models.DateTimeField(auto_now_add=True, verbose_name='created at')),
                ('started_at', models.DateTimeField(blank=True, null=True, verbose_name='started at')),
                ('finished_at', models.DateTimeField(blank=True, null=True, verbose_name='finished at')),
                ('campaign', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='runs', to='campaigns.campaign', verbose_name='campaign')),
                ('lists', models.ManyToManyField(blank=True, editable=False, related_name='runs', to='recipients.mailinglist')),
                ('message', models.OneToOneField(editable=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='run', to='campaigns.message')),
                ('version', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, to='templates_app.templateversion', verbose_name='version')),
            ],
            options={
                'verbose_name': 'run',
                'verbose_name_plural': 'runs',
                'indexes': [models.Index(condition=models.Q(('status__in', ['preparing', 'sending', 'paused', 'held'])), fields=['id'], name='run_active'), models.Index(condition=models.Q(('message', None)), fields=['id'], name='run_of_campaign')],
                'constraints': [models.CheckConstraint(condition=models.Q(('status__in', ['preparing', 'sending', 'paused', 'held', 'completed', 'cancelled'])), name='run_status_known'), models.CheckConstraint(condition=models.Q(('tracking__in', ['full', 'anonymous', 'off'])), name='run_tracking_known'), models.UniqueConstraint(fields=('campaign', 'occurrence', 'message'), name='run_occurrence_unique', nulls_distinct=False)],
            },
        ),
        migrations.CreateModel(
            name='Page',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('number', models.PositiveIntegerField(verbose_name='number')),
                ('first_delivery', models.BigIntegerField()),
                ('last_delivery', models.BigIntegerField()),
                ('state', models.CharField(choices=[('waiting', 'Waiting'), ('open', 'Open'), ('closed', 'Closed')], default='waiting', max_length=7, verbose_name='state')),
                ('left', models.PositiveIntegerField(default=0)),
                ('moved_at', models.DateTimeField(blank=True, null=True, verbose_name='moved at')),
                ('resume_at', models.DateTimeField(blank=True, null=True)),
                ('run', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='pages', to='campaigns.run', verbose_name='run')),
            ],
            options={
                'verbose_name': 'page',
                'verbose_name_plural': 'pages',
                'indexes': [models.Index(condition=models.Q(('resume_at__isnull', False), ('state', 'waiting')), fields=['resume_at'], name='page_resumes'), models.Index(condition=models.Q(('state__in', ['waiting', 'open'])), fields=['run', 'number'], name='page_unclosed')],
                'constraints': [models.CheckConstraint(condition=models.Q(('state__in', ['waiting', 'open', 'closed'])), name='page_state_known'), models.CheckConstraint(condition=models.Q(('first_delivery__lte', models.F('last_delivery'))), name='page_range_ordered'), models.UniqueConstraint(fields=('run', 'number'), name='page_number_unique')],
            },
        ),
        migrations.CreateModel(
            name='Plan',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('when', models.CharField(choices=[('now', 'as soon as it is confirmed'), ('at', 'once, at a time'), ('cron', 'again and again')], max_length=4)),
                ('at', models.DateTimeField(blank=True, null=True)),
                ('cron', models.CharField(blank=True, max_length=100)),
                ('time_zone', models.CharField(max_length=64)),
                ('campaign', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, related_name='plan', to='campaigns.campaign')),
            ],
            options={
                'constraints': [models.CheckConstraint(condition=models.Q(models.Q(('at', None), ('cron', ''), ('when', 'now')), models.Q(('at__isnull', False), ('when', 'at'), ('cron', '')), models.Q(('at', None), ('when', 'cron'), models.Q(('cron', ''), _negated=True)), _connector='OR'), name='plan_says_when')],
            },
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
                ('campaign', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='preflights', to='campaigns.campaign')),
                ('version', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='templates_app.templateversion')),
            ],
            options={
                'constraints': [models.CheckConstraint(condition=models.Q(('status__in', ['running', 'done', 'stopped'])), name='preflight_status_known'), models.CheckConstraint(condition=models.Q(('status', 'running'), ('finished_at__isnull', False), _connector='XOR'), name='preflight_finished_has_time'), models.UniqueConstraint(condition=models.Q(('status', 'running')), fields=('campaign',), name='preflight_one_running')],
                'indexes': [models.Index(fields=['campaign', 'id'], name='preflight_of_campaign')],
            },
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
                ('preflight', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='steps', to='campaigns.preflight')),
            ],
            options={
                'constraints': [models.CheckConstraint(condition=models.Q(('kind__in', ['authentication', 'message', 'links', 'audience'])), name='preflight_step_kind_known'), models.UniqueConstraint(fields=('preflight', 'kind', 'number'), name='preflight_step_unique')],
            },
        ),
        migrations.CreateModel(
            name='ReportSubscription',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('frequency', models.CharField(choices=[('daily', 'Each day'), ('weekly', 'Each week, on Monday'), ('after_run', 'A day after each run has ended')], max_length=9)),
                ('last_sent_at', models.DateTimeField()),
                ('problem', models.CharField(blank=True, default='', editable=False, max_length=300)),
                ('user', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='report_subscriptions', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'constraints': [models.CheckConstraint(condition=models.Q(('frequency__in', ['daily', 'weekly', 'after_run'])), name='report_subscription_frequency_known'), models.UniqueConstraint(fields=('user', 'frequency'), name='report_subscription_unique')],
            },
        ),
        migrations.CreateModel(
            name='Route',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('weight', models.PositiveSmallIntegerField(default=1, help_text='Its share: of 3 and 1, the first takes three quarters.', validators=[django.core.validators.MinValueValidator(1)], verbose_name='weight')),
                ('sender', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='routes', to='campaigns.sender', verbose_name='sender')),
                ('transport', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='routes', to='campaigns.transport', verbose_name='transport')),
            ],
            options={
                'verbose_name': 'route',
                'verbose_name_plural': 'routes',
                'constraints': [models.CheckConstraint(condition=models.Q(('weight__gt', 0)), name='route_weight_positive'), models.UniqueConstraint(fields=('sender', 'transport'), name='route_unique')],
            },
        ),
        migrations.CreateModel(
            name='RunAttachment',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=100)),
                ('position', models.PositiveSmallIntegerField()),
                ('blob', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='templates_app.mediablob')),
                ('run', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='attachments', to='campaigns.run')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('run', 'position'), name='run_attachment_unique')],
            },
        ),
        migrations.CreateModel(
            name='Slot',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('lease', models.UUIDField()),
                ('connections', models.PositiveIntegerField()),
                ('until', models.DateTimeField()),
                ('transport', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='slots', to='campaigns.transport')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('transport', 'lease'), name='slot_lease_unique')],
            },
        ),
        migrations.CreateModel(
            name='SenderCheck',
            fields=[
                ('sender', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='checked', serialize=False, to='campaigns.sender')),
                ('wanted_at', models.DateTimeField(null=True)),
                ('leased_until', models.DateTimeField(null=True)),
                ('checked_at', models.DateTimeField(null=True)),
                ('findings', models.JSONField(default=list)),
            ],
        ),
        migrations.AddField(
            model_name='sender',
            name='transports',
            field=models.ManyToManyField(related_name='senders', through='campaigns.Route', to='campaigns.transport', verbose_name='transports'),
        ),
    ]
