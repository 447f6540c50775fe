import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('campaigns', '0001_initial'),
        ('recipients', '0001_initial'),
        ('templates_app', '0001_initial'),
    ]

    operations = [
        migrations.AddField(
            model_name='campaign',
            name='excluded_lists',
            field=models.ManyToManyField(blank=True, related_name='excluding_campaigns', to='recipients.mailinglist'),
        ),
        migrations.AddField(
            model_name='campaign',
            name='excluded_segments',
            field=models.ManyToManyField(blank=True, related_name='excluding_campaigns', to='recipients.segment'),
        ),
        migrations.AddField(
            model_name='campaign',
            name='lists',
            field=models.ManyToManyField(blank=True, related_name='campaigns', to='recipients.mailinglist'),
        ),
        migrations.AddField(
            model_name='campaign',
            name='segments',
            field=models.ManyToManyField(blank=True, related_name='campaigns', to='recipients.segment'),
        ),
        migrations.AddField(
            model_name='campaign',
            name='template',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, to='templates_app.emailtemplate'),
        ),
        migrations.AddField(
            model_name='campaign',
            name='version',
            field=models.ForeignKey(blank=True, editable=False, help_text='The content, frozen when the campaign was scheduled.', null=True, on_delete=django.db.models.deletion.PROTECT, to='templates_app.templateversion'),
        ),
        migrations.AddField(
            model_name='acceptedwarning',
            name='campaign',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='accepted_warnings', to='campaigns.campaign'),
        ),
        migrations.AddField(
            model_name='campaignattachment',
            name='blob',
            field=models.ForeignKey(editable=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='templates_app.mediablob'),
        ),
        migrations.AddField(
            model_name='campaignattachment',
            name='campaign',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='attachments', to='campaigns.campaign'),
        ),
        migrations.AddField(
            model_name='campaignattachment',
            name='file',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='attachments', to='templates_app.mediafile'),
        ),
        migrations.AddConstraint(
            model_name='dkimkey',
            constraint=models.UniqueConstraint(fields=('domain', 'selector'), name='dkim_selector_unique'),
        ),
        migrations.AddConstraint(
            model_name='dkimkey',
            constraint=models.CheckConstraint(condition=models.Q(('algorithm__in', ['rsa-sha256', 'ed25519-sha256'])), name='dkim_algorithm_known'),
        ),
        migrations.AddConstraint(
            model_name='domaingroup',
            constraint=models.UniqueConstraint(fields=('domain',), name='domain_group_domain_unique'),
        ),
        migrations.AddConstraint(
            model_name='instance',
            constraint=models.CheckConstraint(condition=models.Q(('id', 1)), name='instance_only_one'),
        ),
        migrations.AddField(
            model_name='preflight',
            name='campaign',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='preflights', to='campaigns.campaign'),
        ),
        migrations.AddField(
            model_name='preflight',
            name='version',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='templates_app.templateversion'),
        ),
        migrations.AddField(
            model_name='preflightstep',
            name='preflight',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='steps', to='campaigns.preflight'),
        ),
        migrations.AddField(
            model_name='run',
            name='campaign',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='runs', to='campaigns.campaign'),
        ),
        migrations.AddField(
            model_name='run',
            name='lists',
            field=models.ManyToManyField(blank=True, editable=False, related_name='runs', to='recipients.mailinglist'),
        ),
        migrations.AddField(
            model_name='run',
            name='version',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, to='templates_app.templateversion'),
        ),
        migrations.AddField(
            model_name='page',
            name='run',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='pages', to='campaigns.run'),
        ),
        migrations.AddField(
            model_name='runattachment',
            name='blob',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='templates_app.mediablob'),
        ),
        migrations.AddField(
            model_name='runattachment',
            name='run',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='attachments', to='campaigns.run'),
        ),
        migrations.AddField(
            model_name='route',
            name='sender',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='routes', to='campaigns.sender'),
        ),
        migrations.AddField(
            model_name='campaign',
            name='sender',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, to='campaigns.sender'),
        ),
        migrations.AddConstraint(
            model_name='transport',
            constraint=models.UniqueConstraint(fields=('name',), name='transport_name_unique'),
        ),
        migrations.AddConstraint(
            model_name='transport',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('per_second__isnull', True), ('per_second__gt', 0), _connector='OR'), models.Q(('per_hour__isnull', True), ('per_hour__gt', 0), _connector='OR'), models.Q(('per_day__isnull', True), ('per_day__gt', 0), _connector='OR'), models.Q(('connections__isnull', True), ('connections__gt', 0), _connector='OR'), models.Q(('message_mb__isnull', True), ('message_mb__gt', 0), _connector='OR')), name='transport_limits_positive'),
        ),
        migrations.AddField(
            model_name='slot',
            name='transport',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='slots', to='campaigns.transport'),
        ),
        migrations.AddField(
            model_name='sender',
            name='transports',
            field=models.ManyToManyField(related_name='senders', through='campaigns.Route', to='campaigns.transport'),
        ),
        migrations.AddField(
            model_name='route',
            name='transport',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='routes', to='campaigns.transport'),
        ),
        migrations.AddField(
            model_name='gate',
            name='transport',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, related_name='gates', to='campaigns.transport'),
        ),
        migrations.AddField(
            model_name='domainlimit',
            name='transport',
            field=models.ForeignKey(blank=True, help_text='Empty: what leaves by all transports together.', null=True, on_delete=django.db.models.deletion.CASCADE, to='campaigns.transport'),
        ),
        migrations.AddConstraint(
            model_name='acceptedwarning',
            constraint=models.UniqueConstraint(fields=('campaign', 'fingerprint', 'name'), name='accepted_warning_unique'),
        ),
        migrations.AddConstraint(
            model_name='campaignattachment',
            constraint=models.UniqueConstraint(fields=('campaign', 'file'), name='campaign_attachment_unique'),
        ),
        migrations.AddIndex(
            model_name='preflight',
            index=models.Index(fields=['campaign', 'id'], name='preflight_of_campaign'),
        ),
        migrations.AddConstraint(
            model_name='preflight',
            constraint=models.CheckConstraint(condition=models.Q(('status__in', ['running', 'done', 'stopped'])), name='preflight_status_known'),
        ),
        migrations.AddConstraint(
            model_name='preflight',
            constraint=models.CheckConstraint(condition=models.Q(('status', 'running'), ('finished_at__isnull', False), _connector='XOR'), name='preflight_finished_has_time'),
        ),
        migrations.AddConstraint(
            model_name='preflight',
            constraint=models.UniqueConstraint(condition=models.Q(('status', 'running')), fields=('campaign',), name='preflight_one_running'),
        ),
        migrations.AddConstraint(
            model_name='preflightstep',
            constraint=models.UniqueConstraint(fields=('preflight', 'kind', 'number'), name='preflight_step_unique'),
        ),
        migrations.AddConstraint(
            model_name='preflightstep',
            constraint=models.CheckConstraint(condition=models.Q(('kind__in', ['authentication', 'message', 'links', 'audience'])), name='preflight_step_kind_known'),
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
        migrations.AddIndex(
            model_name='page',
            index=models.Index(condition=models.Q(('resume_at__isnull', False), ('state', 'waiting')), fields=['resume_at'], name='page_resumes'),
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
        migrations.AddConstraint(
            model_name='runattachment',
            constraint=models.UniqueConstraint(fields=('run', 'position'), name='run_attachment_unique'),
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
            constraint=models.CheckConstraint(condition=models.Q(('priority__in', ['campaign', 'transactional'])), name='campaign_priority_known'),
        ),
        migrations.AddConstraint(
            model_name='campaign',
            constraint=models.CheckConstraint(condition=models.Q(('unconfirmed_policy__in', ['hold', 'resend'])), name='campaign_unconfirmed_policy_known'),
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
            model_name='slot',
            constraint=models.UniqueConstraint(fields=('transport', 'lease'), name='slot_lease_unique'),
        ),
        migrations.AddConstraint(
            model_name='sender',
            constraint=models.UniqueConstraint(fields=('display_name', 'address'), name='sender_mailbox_unique'),
        ),
        migrations.AddConstraint(
            model_name='sender',
            constraint=models.CheckConstraint(condition=models.Q(('queue__in', ('transactional', 'campaigns', 'maintenance', 'control', 'imports')), _negated=True), name='sender_queue_not_our_own'),
        ),
        migrations.AddConstraint(
            model_name='route',
            constraint=models.UniqueConstraint(fields=('sender', 'transport'), name='route_unique'),
        ),
        migrations.AddConstraint(
            model_name='route',
            constraint=models.CheckConstraint(condition=models.Q(('weight__gt', 0)), name='route_weight_positive'),
        ),
        migrations.AddConstraint(
            model_name='gate',
            constraint=models.UniqueConstraint(fields=('transport', 'group'), name='gate_unique', nulls_distinct=False),
        ),
        migrations.AddConstraint(
            model_name='domainlimit',
            constraint=models.UniqueConstraint(fields=('group', 'transport'), name='domain_limit_unique', nulls_distinct=False),
        ),
        migrations.AddConstraint(
            model_name='domainlimit',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('per_second__isnull', True), ('per_second__gt', 0), _connector='OR'), models.Q(('per_hour__isnull', True), ('per_hour__gt', 0), _connector='OR'), models.Q(('per_day__isnull', True), ('per_day__gt', 0), _connector='OR')), name='domain_limit_positive'),
        ),
    ]
