import django.db.models.deletion
import recipients.validators
import uuid
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
    ]

    operations = [
        migrations.CreateModel(
            name='Field',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=100)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('name',), name='field_name_unique')],
            },
        ),
        migrations.CreateModel(
            name='MailingList',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=200, validators=[recipients.validators.validate_header_text])),
                ('description', models.TextField(blank=True)),
                ('identifier', models.UUIDField(default=uuid.uuid4, editable=False)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
            ],
            options={
                'ordering': ['name'],
                'constraints': [models.UniqueConstraint(fields=('name',), name='mailing_list_name_unique'), models.UniqueConstraint(fields=('identifier',), name='mailing_list_identifier_unique')],
            },
        ),
        migrations.CreateModel(
            name='Recipient',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('address', models.CharField(max_length=254)),
                ('key', models.CharField(editable=False, max_length=254)),
                ('domain', models.CharField(editable=False, max_length=253)),
                ('needs_smtputf8', models.BooleanField(default=False, editable=False)),
                ('fields', models.JSONField(blank=True, default=dict)),
                ('language', models.CharField(blank=True, max_length=35)),
                ('time_zone', models.CharField(blank=True, max_length=64)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('updated_at', models.DateTimeField(auto_now=True)),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('key',), name='recipient_key_unique'), models.CheckConstraint(condition=models.Q(('key__contains', '@'), models.Q(('domain', ''), _negated=True)), name='recipient_key_is_address')],
            },
        ),
        migrations.CreateModel(
            name='Suppression',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('key', models.CharField(max_length=254, verbose_name='address')),
                ('reason', models.CharField(choices=[('bounce', 'hard bounce'), ('complaint', 'Complaint'), ('unsubscribed', 'asked for no mail at all'), ('manual', 'added by staff')], max_length=12)),
                ('source', models.CharField(blank=True, max_length=200)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('key',), name='suppression_key_unique'), models.CheckConstraint(condition=models.Q(('reason__in', ['bounce', 'complaint', 'unsubscribed', 'manual'])), name='suppression_reason_known')],
            },
        ),
        migrations.CreateModel(
            name='Subscription',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('state', models.CharField(choices=[('pending', 'Pending'), ('confirmed', 'Confirmed'), ('unsubscribed', 'Unsubscribed')], max_length=12)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('changed_at', models.DateTimeField(auto_now=True)),
                ('mailing_list', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, to='recipients.mailinglist')),
                ('recipient', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to='recipients.recipient')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('mailing_list', 'recipient'), name='subscription_unique'), models.CheckConstraint(condition=models.Q(('state__in', ['pending', 'confirmed', 'unsubscribed'])), name='subscription_state_known')],
            },
        ),
    ]
