import django.contrib.postgres.fields
import django.contrib.postgres.functions
import django.db.models.deletion
import django.db.models.functions.datetime
import uuid
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('campaigns', '0002_initial'),
        ('recipients', '0001_initial'),
        ('templates_app', '0001_initial'),
    ]

    operations = [
        migrations.CreateModel(
            name='Activity',
            fields=[
                ('recipient', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, serialize=False, to='recipients.recipient')),
                ('mailed_at', models.DateTimeField(null=True)),
                ('opened_at', models.DateTimeField(null=True)),
                ('clicked_at', models.DateTimeField(null=True)),
                ('mailed_run', models.BigIntegerField(null=True)),
                ('opened_run', models.BigIntegerField(null=True)),
                ('clicked_run', models.BigIntegerField(null=True)),
            ],
            options={
                'verbose_name_plural': 'activities',
            },
        ),
        migrations.CreateModel(
            name='Delivery',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('task_id', models.UUIDField(db_default=django.contrib.postgres.functions.RandomUUID(), editable=False)),
                ('address', models.CharField(max_length=254)),
                ('key', models.CharField(editable=False, max_length=254)),
                ('domain', models.CharField(max_length=253)),
                ('state', models.CharField(choices=[('queued', 'Queued'), ('sending', 'Sending'), ('sent', 'Sent'), ('retry', 'Retry'), ('failed', 'Failed'), ('unconfirmed', 'Unconfirmed'), ('skipped', 'Skipped'), ('cancelled', 'Cancelled')], max_length=11)),
                ('skip_reason', models.CharField(blank=True, choices=[('suppressed', 'Suppressed'), ('unsubscribed', 'Unsubscribed'), ('unconfirmed_opt_in', 'opt-in not confirmed'), ('duplicate', 'address already in this run'), ('no_address', 'recipient was deleted'), ('excluded', 'on an excluded list or segment'), ('paused', 'wants no message for a while')], db_default='', max_length=20)),
                ('attempts', models.PositiveSmallIntegerField(db_default=0)),
                ('next_attempt_at', models.DateTimeField(blank=True, null=True)),
                ('dispatched_at', models.DateTimeField(blank=True, editable=False, null=True)),
                ('lease', models.UUIDField(blank=True, editable=False, null=True)),
                ('doubted_at', models.DateTimeField(blank=True, editable=False, null=True)),
                ('resent_at', models.DateTimeField(blank=True, editable=False, null=True)),
                ('reply_code', models.PositiveSmallIntegerField(blank=True, null=True)),
                ('enhanced_status_code', models.CharField(blank=True, db_default='', max_length=11)),
                ('diagnostic', models.TextField(blank=True, db_default='')),
                ('message_id', models.CharField(blank=True, db_default='', max_length=320, verbose_name='Message-ID')),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('attempted_at', models.DateTimeField(blank=True, null=True)),
                ('finished_at', models.DateTimeField(blank=True, null=True)),
                ('recipient', models.ForeignKey(blank=True, db_constraint=False, null=True, on_delete=django.db.models.deletion.SET_NULL, to='recipients.recipient')),
                ('run', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, to='campaigns.run')),
            ],
            options={
                'verbose_name_plural': 'deliveries',
                'indexes': [models.Index(condition=models.Q(('next_attempt_at__isnull', False)), fields=['next_attempt_at'], name='delivery_retry'), models.Index(condition=models.Q(('doubted_at__isnull', False)), fields=['run', 'doubted_at'], name='delivery_doubted'), models.Index(condition=models.Q(('skip_reason', ''), _negated=True), fields=['key'], name='delivery_skipped_key')],
                'constraints': [models.UniqueConstraint(fields=('run', 'recipient'), name='delivery_recipient_unique'), models.UniqueConstraint(condition=models.Q(('skip_reason', '')), fields=('run', 'key'), name='delivery_address_unique'), models.CheckConstraint(condition=models.Q(('state__in', ['queued', 'sending', 'sent', 'retry', 'failed', 'unconfirmed', 'skipped', 'cancelled'])), name='delivery_state_known'), models.CheckConstraint(condition=models.Q(('state', 'skipped'), ('skip_reason', ''), _connector='XOR'), name='delivery_skipped_has_reason'), models.CheckConstraint(condition=models.Q(models.Q(('state', 'sending'), _negated=True), ('lease__isnull', False), _connector='OR'), name='delivery_sending_has_lease'), models.CheckConstraint(condition=models.Q(models.Q(('state', 'retry'), _negated=True), ('next_attempt_at__isnull', False), _connector='OR'), name='delivery_retry_has_time')],
            },
        ),
        migrations.CreateModel(
            name='Fold',
            fields=[
                ('run', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='fold', serialize=False, to='campaigns.run')),
                ('cursor', models.BigIntegerField(default=0)),
                ('moved_at', models.DateTimeField()),
                ('folded_at', models.DateTimeField(null=True)),
            ],
        ),
        migrations.CreateModel(
            name='Recount',
            fields=[
                ('run', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='recount', serialize=False, to='campaigns.run')),
                ('cursor', models.BigIntegerField(default=0)),
                ('moved_at', models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name='RunCounters',
            fields=[
                ('run', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='counters', serialize=False, to='campaigns.run')),
                ('queued', models.IntegerField(db_default=0)),
                ('sending', models.IntegerField(db_default=0)),
                ('sent', models.IntegerField(db_default=0)),
                ('retry', models.IntegerField(db_default=0)),
                ('failed', models.IntegerField(db_default=0)),
                ('unconfirmed', models.IntegerField(db_default=0)),
                ('skipped', models.IntegerField(db_default=0)),
                ('cancelled', models.IntegerField(db_default=0)),
                ('moved_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('sent_at', models.DateTimeField(null=True)),
                ('minute_sent', models.IntegerField(db_default=0)),
                ('minute_before', models.IntegerField(db_default=0)),
            ],
            options={
                'verbose_name_plural': 'run counters',
            },
        ),
        migrations.CreateModel(
            name='RunTally',
            fields=[
                ('opens_people', models.PositiveIntegerField(db_default=0, default=0)),
                ('opens_unique', models.PositiveIntegerField(db_default=0, default=0)),
                ('opens_total', models.PositiveIntegerField(db_default=0, default=0)),
                ('clicks_people', models.PositiveIntegerField(db_default=0, default=0)),
                ('clicks_unique', models.PositiveIntegerField(db_default=0, default=0)),
                ('clicks_total', models.PositiveIntegerField(db_default=0, default=0)),
                ('bounced_hard', models.PositiveIntegerField(db_default=0, default=0)),
                ('bounced_soft', models.PositiveIntegerField(db_default=0, default=0)),
                ('delivered', models.PositiveIntegerField(db_default=0, default=0)),
                ('complained', models.PositiveIntegerField(db_default=0, default=0)),
                ('unsubscribed', models.PositiveIntegerField(db_default=0, default=0)),
                ('run', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='tally', serialize=False, to='campaigns.run')),
                ('ledger_counted_to', models.DateTimeField(null=True)),
                ('purged_at', models.DateTimeField(null=True)),
            ],
            options={
                'abstract': False,
            },
        ),
        migrations.CreateModel(
            name='DeliveryEvent',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('recipient_id', models.BigIntegerField(null=True)),
                ('kind', models.CharField(choices=[('failed', 'Failed'), ('bounced', 'Bounced'), ('delayed', 'Delayed'), ('delivered', 'Delivered'), ('complained', 'Complained'), ('unsubscribed', 'Unsubscribed')], max_length=12)),
                ('category', models.CharField(blank=True, choices=[('invalid_address', 'no such mailbox'), ('invalid_domain', 'no such domain'), ('disabled', 'mailbox switched off'), ('mailbox_full', 'mailbox full'), ('too_large', 'message too large'), ('policy_content', 'refused for what it says'), ('policy_reputation', 'refused for who sends it'), ('auth', 'SPF, DKIM, DMARC, PTR or TLS'), ('rate', 'too many messages'), ('transient', 'passing trouble'), ('expired', 'given up after trying'), ('loop', 'mail loop'), ('rendering', 'could not be made for the recipient'), ('unknown', 'reason not told')], db_default='', max_length=17)),
                ('is_hard', models.BooleanField(default=False)),
                ('reply_code', models.PositiveSmallIntegerField(null=True)),
                ('enhanced_status_code', models.CharField(blank=True, db_default='', max_length=11)),
                ('diagnostic', models.TextField(blank=True, db_default='')),
                ('source', models.CharField(choices=[('handover', 'answer of the next hop'), ('mail', 'message to the envelope sender'), ('webhook', 'provider'), ('link', 'link in the message')], max_length=8)),
                ('source_key', models.CharField(max_length=100)),
                ('at', models.DateTimeField()),
                ('noted_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('counted_at', models.DateTimeField(null=True)),
                ('is_to_follow', models.BooleanField(db_default=False, default=False)),
                ('delivery', models.ForeignKey(db_constraint=False, on_delete=django.db.models.deletion.CASCADE, related_name='events', to='tracking.delivery')),
                ('run', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.CASCADE, to='campaigns.run')),
            ],
            options={
                'indexes': [models.Index(condition=models.Q(('counted_at__isnull', True)), fields=['id'], name='delivery_event_uncounted'), models.Index(condition=models.Q(('is_to_follow', True)), fields=['is_hard', 'noted_at'], name='delivery_event_to_follow'), models.Index(fields=['recipient_id', 'at'], name='delivery_event_of_recipient'), models.Index(fields=['run', 'kind', 'at'], name='delivery_event_of_run')],
                'constraints': [models.UniqueConstraint(fields=('source', 'source_key'), name='delivery_event_told_once'), models.CheckConstraint(condition=models.Q(('kind__in', ['failed', 'bounced', 'delayed', 'delivered', 'complained', 'unsubscribed'])), name='delivery_event_kind_known'), models.CheckConstraint(condition=models.Q(('category__in', ['', 'invalid_address', 'invalid_domain', 'disabled', 'mailbox_full', 'too_large', 'policy_content', 'policy_reputation', 'auth', 'rate', 'transient', 'expired', 'loop', 'rendering', 'unknown'])), name='delivery_event_category_known'), models.CheckConstraint(condition=models.Q(('source__in', ['handover', 'mail', 'webhook', 'link'])), name='delivery_event_source_known')],
            },
        ),
        migrations.CreateModel(
            name='DomainTally',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('opens_people', models.PositiveIntegerField(db_default=0, default=0)),
                ('opens_unique', models.PositiveIntegerField(db_default=0, default=0)),
                ('opens_total', models.PositiveIntegerField(db_default=0, default=0)),
                ('clicks_people', models.PositiveIntegerField(db_default=0, default=0)),
                ('clicks_unique', models.PositiveIntegerField(db_default=0, default=0)),
                ('clicks_total', models.PositiveIntegerField(db_default=0, default=0)),
                ('bounced_hard', models.PositiveIntegerField(db_default=0, default=0)),
                ('bounced_soft', models.PositiveIntegerField(db_default=0, default=0)),
                ('delivered', models.PositiveIntegerField(db_default=0, default=0)),
                ('complained', models.PositiveIntegerField(db_default=0, default=0)),
                ('unsubscribed', models.PositiveIntegerField(db_default=0, default=0)),
                ('domain', models.CharField(max_length=253)),
                ('sent', models.PositiveIntegerField(db_default=0, default=0)),
                ('failed', models.PositiveIntegerField(db_default=0, default=0)),
                ('run', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, to='campaigns.run')),
            ],
            options={
                'indexes': [models.Index(fields=['run', '-sent'], name='domain_tally_largest')],
                'constraints': [models.UniqueConstraint(fields=('run', 'domain'), name='domain_tally_unique')],
            },
        ),
        migrations.CreateModel(
            name='Engagement',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('opened_at', models.DateTimeField(null=True)),
                ('clicked_at', models.DateTimeField(null=True)),
                ('recipient', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to='recipients.recipient')),
                ('run', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, to='campaigns.run')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('run', 'recipient'), name='engagement_unique'), models.CheckConstraint(condition=models.Q(('opened_at__isnull', False), ('clicked_at__isnull', False), _connector='OR'), name='engagement_says_something')],
            },
        ),
        migrations.CreateModel(
            name='HourTally',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('opens_people', models.PositiveIntegerField(db_default=0, default=0)),
                ('opens_unique', models.PositiveIntegerField(db_default=0, default=0)),
                ('opens_total', models.PositiveIntegerField(db_default=0, default=0)),
                ('clicks_people', models.PositiveIntegerField(db_default=0, default=0)),
                ('clicks_unique', models.PositiveIntegerField(db_default=0, default=0)),
                ('clicks_total', models.PositiveIntegerField(db_default=0, default=0)),
                ('bounced_hard', models.PositiveIntegerField(db_default=0, default=0)),
                ('bounced_soft', models.PositiveIntegerField(db_default=0, default=0)),
                ('delivered', models.PositiveIntegerField(db_default=0, default=0)),
                ('complained', models.PositiveIntegerField(db_default=0, default=0)),
                ('unsubscribed', models.PositiveIntegerField(db_default=0, default=0)),
                ('hour', models.DateTimeField()),
                ('sent', models.PositiveIntegerField(db_default=0, default=0)),
                ('failed', models.PositiveIntegerField(db_default=0, default=0)),
                ('run', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, to='campaigns.run')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('run', 'hour'), name='hour_tally_unique')],
            },
        ),
        migrations.CreateModel(
            name='InboundMessage',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('digest', models.BinaryField(max_length=32)),
                ('raw', models.BinaryField(null=True)),
                ('recipient', models.CharField(blank=True, max_length=320)),
                ('origin', models.CharField(max_length=200)),
                ('received_at', models.DateTimeField()),
                ('status', models.CharField(choices=[('new', 'New'), ('done', 'Done'), ('ignored', 'Ignored'), ('quarantined', 'Quarantined')], default='new', max_length=11)),
                ('explanation', models.CharField(blank=True, max_length=300)),
                ('handled_at', models.DateTimeField(null=True)),
                ('delivery', models.ForeignKey(db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='tracking.delivery')),
            ],
            options={
                'indexes': [models.Index(condition=models.Q(('status', 'new')), fields=['id'], name='inbound_message_new'), models.Index(fields=['received_at'], name='inbound_message_age'), models.Index(condition=models.Q(('delivery__isnull', False)), fields=['delivery'], name='inbound_message_of_delivery')],
                'constraints': [models.UniqueConstraint(fields=('digest',), name='inbound_message_once'), models.CheckConstraint(condition=models.Q(('status__in', ['new', 'done', 'ignored', 'quarantined'])), name='inbound_message_status_known')],
            },
        ),
        migrations.CreateModel(
            name='Lease',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, primary_key=True, serialize=False)),
                ('until', models.DateTimeField()),
                ('deliveries', django.contrib.postgres.fields.ArrayField(base_field=models.BigIntegerField(), size=None)),
                ('run', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='leases', to='campaigns.run')),
            ],
        ),
        migrations.CreateModel(
            name='Link',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('number', models.PositiveSmallIntegerField()),
                ('language', models.CharField(blank=True, max_length=35)),
                ('target', models.TextField()),
                ('label', models.CharField(blank=True, max_length=200)),
                ('version', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='tracked_links', to='templates_app.templateversion')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('version', 'number'), name='link_number_unique')],
            },
        ),
        migrations.CreateModel(
            name='LinkTally',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('number', models.PositiveSmallIntegerField()),
                ('people', models.PositiveIntegerField(db_default=0, default=0)),
                ('unique', models.PositiveIntegerField(db_default=0, default=0)),
                ('total', models.PositiveIntegerField(db_default=0, default=0)),
                ('run', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, to='campaigns.run')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('run', 'number'), name='link_tally_unique')],
            },
        ),
        migrations.CreateModel(
            name='Mailbox',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('address', models.CharField(max_length=300)),
                ('read_at', models.DateTimeField(null=True)),
                ('received_at', models.DateTimeField(null=True)),
                ('error', models.CharField(blank=True, max_length=500)),
                ('messages', models.PositiveBigIntegerField(default=0)),
            ],
            options={
                'verbose_name_plural': 'mailboxes',
                'constraints': [models.UniqueConstraint(fields=('address',), name='mailbox_unique')],
            },
        ),
        migrations.CreateModel(
            name='ReasonTally',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(max_length=12)),
                ('reason', models.CharField(blank=True, max_length=17)),
                ('count', models.PositiveIntegerField(db_default=0, default=0)),
                ('run', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, to='campaigns.run')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('run', 'kind', 'reason'), name='reason_tally_unique')],
            },
        ),
        migrations.CreateModel(
            name='RecountPart',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('domain', models.CharField(max_length=253, null=True)),
                ('hour', models.DateTimeField(null=True)),
                ('sent', models.PositiveIntegerField(db_default=0, default=0)),
                ('failed', models.PositiveIntegerField(db_default=0, default=0)),
                ('recount', models.ForeignKey(db_constraint=False, on_delete=django.db.models.deletion.CASCADE, to='tracking.recount')),
            ],
        ),
        migrations.CreateModel(
            name='UserAgent',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('text', models.CharField(max_length=300)),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('text',), name='user_agent_unique')],
            },
        ),
        migrations.CreateModel(
            name='Hit',
            fields=[
                ('id', models.BigIntegerField(primary_key=True, serialize=False)),
                ('kind', models.CharField(choices=[('open', 'Open'), ('click', 'Click')], max_length=5)),
                ('link_number', models.PositiveSmallIntegerField(null=True)),
                ('at', models.DateTimeField()),
                ('is_head', models.BooleanField(default=False)),
                ('network', models.CharField(blank=True, db_default='', max_length=43)),
                ('from_scanner', models.BooleanField(default=False)),
                ('verdict', models.CharField(choices=[('person', 'Person'), ('machine', 'Machine')], max_length=7)),
                ('reason', models.CharField(blank=True, db_default='', max_length=20)),
                ('rules', models.PositiveSmallIntegerField()),
                ('delivery', models.ForeignKey(db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='hits', to='tracking.delivery')),
                ('run', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.CASCADE, to='campaigns.run')),
                ('user_agent', models.ForeignKey(db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, to='tracking.useragent')),
            ],
            options={
                'indexes': [models.Index(condition=models.Q(('delivery__isnull', False)), fields=['delivery'], name='hit_of_delivery'), models.Index(fields=['run', 'id'], name='hit_of_run'), models.Index(condition=models.Q(('delivery__isnull', False), ('link_number__isnull', False), ('verdict', 'person')), fields=['run', 'link_number', 'delivery'], name='hit_of_link')],
                'constraints': [models.CheckConstraint(condition=models.Q(('kind__in', ['open', 'click'])), name='hit_kind_known'), models.CheckConstraint(condition=models.Q(('verdict__in', ['person', 'machine'])), name='hit_verdict_known'), models.CheckConstraint(condition=models.Q(('kind', 'open'), ('link_number__isnull', False), _connector='XOR'), name='hit_click_has_link')],
            },
        ),
        migrations.CreateModel(
            name='WebhookEvent',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('provider', models.CharField(max_length=30)),
                ('key', models.BinaryField(max_length=32)),
                ('event_type', models.CharField(max_length=20)),
                ('message_id', models.CharField(blank=True, max_length=320)),
                ('payload', models.JSONField()),
                ('received_at', models.DateTimeField()),
                ('handled_at', models.DateTimeField(null=True)),
                ('explanation', models.CharField(blank=True, max_length=300)),
            ],
            options={
                'verbose_name': 'event of a provider',
                'verbose_name_plural': 'events of providers',
                'indexes': [models.Index(condition=models.Q(('handled_at__isnull', True)), fields=['id'], name='webhook_unhandled'), models.Index(fields=['received_at'], name='webhook_age')],
                'constraints': [models.UniqueConstraint(fields=('provider', 'key'), name='webhook_once')],
            },
        ),
        migrations.CreateModel(
            name='Departure',
            fields=[
                ('delivery', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='departure', serialize=False, to='tracking.delivery')),
                ('reason', models.CharField(blank=True, choices=[('too_many', 'Too many messages'), ('not_relevant', 'They are not about what I expected'), ('never_asked', 'I never asked for them'), ('no_longer', 'I do not need them any more'), ('other', 'Another reason')], max_length=12)),
                ('comment', models.CharField(blank=True, max_length=1000)),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
            ],
            options={
                'constraints': [models.CheckConstraint(condition=models.Q(('reason__in', ['', 'too_many', 'not_relevant', 'never_asked', 'no_longer', 'other'])), name='departure_reason_known')],
            },
        ),
        migrations.CreateModel(
            name='Response',
            fields=[
                ('delivery', models.OneToOneField(db_constraint=False, on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='response', serialize=False, to='tracking.delivery')),
                ('opens', models.PositiveIntegerField(db_default=0, default=0)),
                ('clicks', models.PositiveIntegerField(db_default=0, default=0)),
                ('opened_at', models.DateTimeField(null=True)),
                ('opened_by_person_at', models.DateTimeField(null=True)),
                ('clicked_at', models.DateTimeField(null=True)),
                ('clicked_by_person_at', models.DateTimeField(null=True)),
                ('bounced_at', models.DateTimeField(null=True)),
                ('is_hard', models.BooleanField(db_default=False, default=False)),
                ('delivered_at', models.DateTimeField(null=True)),
                ('complained_at', models.DateTimeField(null=True)),
                ('unsubscribed_at', models.DateTimeField(null=True)),
                ('failure', models.CharField(blank=True, db_default='', max_length=17)),
                ('bounce', models.CharField(blank=True, db_default='', max_length=17)),
                ('departure', models.CharField(blank=True, db_default='', max_length=12)),
                ('run', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.CASCADE, to='campaigns.run')),
            ],
            options={
                'indexes': [models.Index(models.F('run'), models.Case(models.When(models.Q(('opened_by_person_at__isnull', False), ('clicked_by_person_at__isnull', False), _connector='OR'), then=models.Value('person')), models.When(models.Q(('opened_at__isnull', False), ('clicked_at__isnull', False), _connector='OR'), then=models.Value('machine')), default=models.Value(''), output_field=models.CharField()), models.F('delivery'), name='response_of_run'), models.Index(condition=models.Q(('clicked_by_person_at__isnull', False)), fields=['run', 'delivery'], name='response_clicked'), models.Index(condition=models.Q(('bounced_at__isnull', False)), fields=['run', 'delivery'], name='response_bounced'), models.Index(condition=models.Q(('complained_at__isnull', False)), fields=['run', 'delivery'], name='response_complained'), models.Index(condition=models.Q(('unsubscribed_at__isnull', False)), fields=['run', 'delivery'], name='response_unsubscribed'), models.Index(condition=models.Q(('failure', ''), _negated=True), fields=['run', 'delivery'], name='response_failed')],
            },
        ),
    ]
