import django.contrib.postgres.fields
import django.contrib.postgres.functions
import django.db.models.deletion
import django.db.models.functions.datetime
import uuid
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('campaigns', '0001_initial'),
        ('recipients', '0001_initial'),
    ]

    operations = [
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
            name='Lease',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, primary_key=True, serialize=False)),
                ('until', models.DateTimeField()),
                ('deliveries', django.contrib.postgres.fields.ArrayField(base_field=models.BigIntegerField(), size=None)),
                ('run', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='leases', to='campaigns.run')),
            ],
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
                ('skip_reason', models.CharField(blank=True, choices=[('suppressed', 'Suppressed'), ('unsubscribed', 'Unsubscribed'), ('unconfirmed_opt_in', 'opt-in not confirmed'), ('duplicate', 'address already in this run'), ('no_address', 'recipient was deleted')], db_default='', max_length=20)),
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
                'indexes': [models.Index(condition=models.Q(('next_attempt_at__isnull', False)), fields=['next_attempt_at'], name='delivery_retry'), models.Index(condition=models.Q(('doubted_at__isnull', False)), fields=['run', 'doubted_at'], name='delivery_doubted')],
                'constraints': [models.UniqueConstraint(fields=('run', 'recipient'), name='delivery_recipient_unique'), models.UniqueConstraint(condition=models.Q(('skip_reason', '')), fields=('run', 'key'), name='delivery_address_unique'), models.CheckConstraint(condition=models.Q(('state__in', ['queued', 'sending', 'sent', 'retry', 'failed', 'unconfirmed', 'skipped', 'cancelled'])), name='delivery_state_known'), models.CheckConstraint(condition=models.Q(('state', 'skipped'), ('skip_reason', ''), _connector='XOR'), name='delivery_skipped_has_reason'), models.CheckConstraint(condition=models.Q(models.Q(('state', 'sending'), _negated=True), ('lease__isnull', False), _connector='OR'), name='delivery_sending_has_lease'), models.CheckConstraint(condition=models.Q(models.Q(('state', 'retry'), _negated=True), ('next_attempt_at__isnull', False), _connector='OR'), name='delivery_retry_has_time')],
            },
        ),
    ]
