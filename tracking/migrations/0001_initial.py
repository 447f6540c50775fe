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
            ],
            options={
                'verbose_name_plural': 'run counters',
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
            name='Lease',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, primary_key=True, serialize=False)),
                ('until', models.DateTimeField()),
                ('deliveries', django.contrib.postgres.fields.ArrayField(base_field=models.BigIntegerField(), size=None)),
                ('run', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='leases', to='campaigns.run')),
            ],
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
    ]
