import django.contrib.postgres.fields
import django.db.models.deletion
import django.db.models.functions.datetime
import recipients.models.exports
import recipients.models.imports
import recipients.validators
import uuid
from django.conf import settings
from django.db import migrations, models
from recipients.tables import TablesAtOnce


class Migration(TablesAtOnce):

    initial = True

    dependencies = [
        ('auth', '0012_alter_user_first_name_max_length'),
        ('auth', '__first__'),
        ('campaigns', '0001_initial'),
    ]

    operations = [
        migrations.CreateModel(
            name='ConsentWording',
            fields=[
                ('digest', models.BinaryField(max_length=32, primary_key=True, serialize=False)),
                ('language', models.CharField(blank=True, max_length=35)),
                ('text', models.TextField()),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
            ],
        ),
        migrations.CreateModel(
            name='Tag',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=100, verbose_name='name')),
                ('created_at', models.DateTimeField(auto_now_add=True, verbose_name='created at')),
            ],
            options={
                'verbose_name': 'tag',
                'verbose_name_plural': 'tags',
                'ordering': ['name'],
                'constraints': [models.UniqueConstraint(fields=('name',), name='tag_name_unique')],
            },
        ),
        migrations.CreateModel(
            name='ConsentBlock',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('number', models.BigIntegerField()),
                ('previous_hash', models.BinaryField(max_length=32)),
                ('content', models.BinaryField(max_length=32)),
                ('hash', models.BinaryField(max_length=32)),
                ('events', models.PositiveIntegerField()),
                ('first_event', models.BigIntegerField()),
                ('last_event', models.BigIntegerField()),
                ('created_at', models.DateTimeField()),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('number',), name='consent_block_no_fork')],
            },
        ),
        migrations.CreateModel(
            name='ConsentEvent',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('subject', models.BinaryField(max_length=32)),
                ('recipient_id', models.BigIntegerField(null=True)),
                ('mailing_list_id', models.BigIntegerField(null=True)),
                ('purpose', models.CharField(choices=[('list', 'messages of a list'), ('tracking', 'measuring opens and clicks'), ('everything', 'any message')], max_length=10)),
                ('action', models.CharField(choices=[('granted', 'Granted'), ('confirmed', 'Confirmed'), ('withdrawn', 'Withdrawn'), ('imported', 'Imported'), ('erased', 'Erased')], max_length=9)),
                ('source', models.CharField(max_length=300)),
                ('wording', models.BinaryField(max_length=32, null=True)),
                ('detail', models.BinaryField(max_length=32, null=True)),
                ('occurred_at', models.DateTimeField()),
                ('block', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.DO_NOTHING, related_name='contents', to='recipients.consentblock')),
            ],
            options={
                'indexes': [models.Index(fields=['recipient_id'], name='consent_of_recipient')],
                'constraints': [models.CheckConstraint(condition=models.Q(('purpose__in', ['list', 'tracking', 'everything'])), name='consent_purpose_known'), models.CheckConstraint(condition=models.Q(('action__in', ['granted', 'confirmed', 'withdrawn', 'imported', 'erased'])), name='consent_action_known'), models.CheckConstraint(condition=models.Q(('purpose', 'list'), ('mailing_list_id__isnull', True), _connector='XOR'), name='consent_list_named')],
            },
        ),
        migrations.CreateModel(
            name='ConsentTally',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('mailing_list_id', models.BigIntegerField()),
                ('day', models.DateField()),
                ('action', models.CharField(choices=[('granted', 'Granted'), ('confirmed', 'Confirmed'), ('withdrawn', 'Withdrawn'), ('imported', 'Imported'), ('erased', 'Erased')], max_length=9)),
                ('count', models.PositiveIntegerField()),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('mailing_list_id', 'day', 'action'), name='consent_tally_unique')],
            },
        ),
        migrations.CreateModel(
            name='Field',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=100, verbose_name='name')),
                ('kind', models.CharField(choices=[('text', 'Text'), ('number', 'Number'), ('date', 'Date'), ('boolean', 'Yes or no'), ('choice', 'One of several')], default='text', max_length=7, verbose_name='kind')),
                ('choices', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=200), blank=True, default=list, size=None, verbose_name='choices')),
                ('created_at', models.DateTimeField(auto_now_add=True, verbose_name='created at')),
            ],
            options={
                'verbose_name': 'field',
                'verbose_name_plural': 'fields',
                'constraints': [models.UniqueConstraint(fields=('name',), name='field_name_unique'), models.CheckConstraint(condition=models.Q(('kind__in', ['text', 'number', 'date', 'boolean', 'choice'])), name='field_kind_known'), models.CheckConstraint(condition=models.Q(('kind', 'choice'), ('choices', []), _connector='XOR'), name='field_choice_has_choices')],
            },
        ),
        migrations.CreateModel(
            name='Import',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('file', models.FileField(blank=True, editable=False, upload_to=recipients.models.imports.stored_under)),
                ('file_name', models.CharField(max_length=255, verbose_name='file name')),
                ('sha256', models.CharField(editable=False, max_length=64)),
                ('size', models.BigIntegerField(editable=False)),
                ('policy', models.CharField(choices=[('fill', 'Fill what is blank, keep what is there'), ('overwrite', 'Overwrite what is there'), ('leave', 'Leave known recipients as they are')], default='overwrite', max_length=9, verbose_name='policy')),
                ('declaration', models.CharField(blank=True, help_text='Kept with each consent: paper forms of the fair in Hanoi, March 2026.', max_length=200, verbose_name='where the consent comes from')),
                ('layout', models.JSONField(default=dict, editable=False)),
                ('status', models.CharField(choices=[('mapping', 'waiting for its columns to be named'), ('checking', 'being checked'), ('checked', 'checked'), ('importing', 'being imported'), ('stopped', 'stopped'), ('done', 'done'), ('failed', 'failed'), ('undone', 'undone')], default='mapping', editable=False, max_length=9)),
                ('trouble', models.JSONField(default=list, editable=False)),
                ('rows', models.BigIntegerField(default=0, editable=False)),
                ('addresses', models.BigIntegerField(editable=False, null=True)),
                ('merged', models.BigIntegerField(default=0, editable=False)),
                ('new', models.BigIntegerField(default=0, editable=False, verbose_name='new')),
                ('changed', models.BigIntegerField(default=0, editable=False, verbose_name='changed')),
                ('unchanged', models.BigIntegerField(default=0, editable=False)),
                ('duplicates', models.BigIntegerField(default=0, editable=False)),
                ('invalid', models.BigIntegerField(default=0, editable=False, verbose_name='invalid')),
                ('suppressed', models.BigIntegerField(default=0, editable=False)),
                ('findings', models.JSONField(default=dict, editable=False)),
                ('moved_at', models.DateTimeField(editable=False, null=True)),
                ('created_at', models.DateTimeField(auto_now_add=True, verbose_name='created at')),
                ('finished_at', models.DateTimeField(editable=False, null=True)),
                ('created_by', models.ForeignKey(editable=False, null=True, on_delete=django.db.models.deletion.SET_NULL, to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'verbose_name': 'import',
                'verbose_name_plural': 'imports',
                'indexes': [models.Index(condition=models.Q(('status__in', ['checking', 'importing'])), fields=['id'], name='import_active')],
                'constraints': [models.CheckConstraint(condition=models.Q(('status__in', ['mapping', 'checking', 'checked', 'importing', 'stopped', 'done', 'failed', 'undone'])), name='import_status_known'), models.CheckConstraint(condition=models.Q(('policy__in', ['fill', 'overwrite', 'leave'])), name='import_policy_known')],
            },
        ),
        migrations.CreateModel(
            name='ImportSlice',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('number', models.PositiveIntegerField()),
                ('is_merged', models.BooleanField(default=False)),
                ('importing', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='slices', to='recipients.import')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('importing', 'number'), name='import_slice_unique')],
            },
        ),
        migrations.CreateModel(
            name='LiftedSuppression',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('key', models.CharField(max_length=254, verbose_name='address or domain')),
                ('reason', models.CharField(choices=[('soft_bounce', 'messages came back again and again'), ('bounce', 'messages came back'), ('complaint', 'Complaint'), ('unsubscribed', 'asked for no mail at all'), ('manual', 'added by staff'), ('erased', 'asked to be forgotten')], max_length=12)),
                ('source', models.CharField(blank=True, max_length=200)),
                ('suppressed_at', models.DateTimeField()),
                ('lifted_at', models.DateTimeField()),
                ('lifted_by', models.CharField(max_length=150)),
                ('why', models.CharField(max_length=500)),
            ],
            options={
                'indexes': [models.Index(fields=['key'], name='lifted_suppression_key')],
            },
        ),
        migrations.CreateModel(
            name='MailingList',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=200, validators=[recipients.validators.validate_header_text], verbose_name='name')),
                ('description', models.TextField(blank=True, help_text='Shown where people choose their lists.', verbose_name='description')),
                ('is_public', models.BooleanField(db_default=False, default=False, help_text='Recipients may subscribe to it themselves where they choose their lists.', verbose_name='is public')),
                ('tracking', models.CharField(choices=[('full', 'who opened and clicked'), ('anonymous', 'how often, without telling who'), ('off', 'nothing')], db_default='full', default='full', help_text='Of opens and clicks. Where campaign or installation want less, that holds.', max_length=9, verbose_name='measuring')),
                ('identifier', models.UUIDField(default=uuid.uuid4, editable=False, verbose_name='identifier')),
                ('is_limited', models.BooleanField(db_default=False, default=False, help_text='Only these users and groups see it, its recipients and its campaigns.', verbose_name='limited')),
                ('created_at', models.DateTimeField(auto_now_add=True, verbose_name='created at')),
                ('limited_to_groups', models.ManyToManyField(blank=True, related_name='limited_lists', to='auth.group', verbose_name='limited to groups')),
                ('limited_to_users', models.ManyToManyField(blank=True, related_name='limited_lists', to=settings.AUTH_USER_MODEL, verbose_name='limited to users')),
            ],
            options={
                'verbose_name': 'mailing list',
                'verbose_name_plural': 'mailing lists',
                'ordering': ['name'],
                'permissions': [('see_limited_lists', 'Can see lists that are limited to others')],
                'constraints': [models.UniqueConstraint(fields=('name',), name='mailing_list_name_unique'), models.UniqueConstraint(fields=('identifier',), name='mailing_list_identifier_unique'), models.CheckConstraint(condition=models.Q(('tracking__in', ['full', 'anonymous', 'off'])), name='mailing_list_tracking_known')],
            },
        ),
        migrations.CreateModel(
            name='Recipient',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('address', models.CharField(max_length=254, verbose_name='address')),
                ('key', models.CharField(editable=False, max_length=254)),
                ('domain', models.CharField(editable=False, max_length=253)),
                ('external_id', models.CharField(blank=True, db_default='', default='', max_length=200)),
                ('needs_smtputf8', models.BooleanField(default=False, editable=False)),
                ('fields', models.JSONField(blank=True, default=dict, verbose_name='fields')),
                ('language', models.CharField(blank=True, max_length=35, verbose_name='language')),
                ('time_zone', models.CharField(blank=True, max_length=64, verbose_name='time zone')),
                ('tracking_consent', models.CharField(choices=[('unknown', 'not asked'), ('granted', 'Granted'), ('denied', 'Denied')], db_default='unknown', default='unknown', max_length=7, verbose_name='tracking consent')),
                ('paused_until', models.DateField(blank=True, help_text='Wants no message before that day.', null=True, verbose_name='paused until')),
                ('created_at', models.DateTimeField(auto_now_add=True, verbose_name='created at')),
                ('updated_at', models.DateTimeField(auto_now=True, verbose_name='updated at')),
                ('imported_by', models.ForeignKey(blank=True, db_constraint=False, db_index=False, editable=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, to='recipients.import')),
            ],
            options={
                'verbose_name': 'recipient',
                'verbose_name_plural': 'recipients',
                'permissions': [('export_recipient', 'Can take recipients out as a file'), ('erase_recipient', 'Can erase all that is known of a recipient'), ('merge_recipient', 'Can merge recipients who are the same person')],
                'constraints': [models.UniqueConstraint(fields=('key',), name='recipient_key_unique'), models.UniqueConstraint(condition=models.Q(('external_id', ''), _negated=True), fields=('external_id',), name='recipient_external_id_unique'), models.CheckConstraint(condition=models.Q(('key__contains', '@'), models.Q(('domain', ''), _negated=True)), name='recipient_key_is_address'), models.CheckConstraint(condition=models.Q(('tracking_consent__in', ['unknown', 'granted', 'denied'])), name='recipient_tracking_consent_known')],
            },
        ),
        migrations.CreateModel(
            name='Merge',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('former_id', models.BigIntegerField()),
                ('former_address', models.CharField(max_length=254)),
                ('former_key', models.CharField(max_length=254)),
                ('merged_by', models.CharField(max_length=150)),
                ('merged_at', models.DateTimeField()),
                ('recipient', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='merges', to='recipients.recipient')),
            ],
            options={
                'indexes': [models.Index(fields=['former_key'], name='merge_former_key')],
                'constraints': [models.UniqueConstraint(fields=('former_id',), name='merge_former_unique')],
            },
        ),
        migrations.CreateModel(
            name='ImportChange',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('before', models.JSONField()),
                ('importing', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='changes', to='recipients.import')),
                ('recipient', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.CASCADE, to='recipients.recipient')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('recipient', 'importing'), name='import_change_unique')],
            },
        ),
        migrations.CreateModel(
            name='Segment',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=200, verbose_name='name')),
                ('description', models.TextField(blank=True, verbose_name='description')),
                ('rules', models.JSONField()),
                ('identifier', models.UUIDField(default=uuid.uuid4, editable=False)),
                ('created_at', models.DateTimeField(auto_now_add=True, verbose_name='created at')),
                ('updated_at', models.DateTimeField(auto_now=True, verbose_name='updated at')),
            ],
            options={
                'verbose_name': 'segment',
                'verbose_name_plural': 'segments',
                'ordering': ['name'],
                'constraints': [models.UniqueConstraint(fields=('name',), name='segment_name_unique'), models.UniqueConstraint(fields=('identifier',), name='segment_identifier_unique')],
            },
        ),
        migrations.CreateModel(
            name='Export',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('asked', models.JSONField(default=dict, editable=False)),
                ('what', models.CharField(editable=False, max_length=300, verbose_name='recipients')),
                ('format', models.CharField(choices=[('csv', 'CSV'), ('xlsx', 'XLSX, for spreadsheets'), ('jsonl', 'JSON lines, values as they are stored')], default='csv', max_length=5, verbose_name='format')),
                ('status', models.CharField(choices=[('waiting', 'Waiting'), ('writing', 'Writing'), ('done', 'Done'), ('failed', 'Failed')], default='waiting', editable=False, max_length=7, verbose_name='status')),
                ('problem', models.CharField(blank=True, editable=False, max_length=500, verbose_name='problem')),
                ('rows', models.BigIntegerField(editable=False, null=True, verbose_name='rows')),
                ('file', models.FileField(blank=True, editable=False, upload_to=recipients.models.exports.kept_under)),
                ('created_at', models.DateTimeField(editable=False, verbose_name='created at')),
                ('started_at', models.DateTimeField(editable=False, null=True)),
                ('finished_at', models.DateTimeField(editable=False, null=True, verbose_name='finished at')),
                ('expires_at', models.DateTimeField(editable=False, null=True, verbose_name='expires at')),
                ('created_by', models.ForeignKey(editable=False, null=True, on_delete=django.db.models.deletion.SET_NULL, to=settings.AUTH_USER_MODEL, verbose_name='created by')),
                ('mailing_list', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, to='recipients.mailinglist', verbose_name='mailing list')),
                ('segment', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, to='recipients.segment', verbose_name='segment')),
            ],
            options={
                'verbose_name': 'export',
                'verbose_name_plural': 'exports',
                'indexes': [models.Index(condition=models.Q(('status__in', ['waiting', 'writing'])), fields=['id'], name='export_open')],
                'constraints': [models.CheckConstraint(condition=models.Q(('status__in', ['waiting', 'writing', 'done', 'failed'])), name='export_status_known'), models.CheckConstraint(condition=models.Q(('format__in', ['csv', 'xlsx', 'jsonl'])), name='export_format_known'), models.CheckConstraint(condition=models.Q(('mailing_list__isnull', True), ('segment__isnull', True), _connector='OR'), name='export_one_audience'), models.CheckConstraint(condition=models.Q(('file', ''), ('expires_at__isnull', False), _connector='OR'), name='export_file_expires')],
            },
        ),
        migrations.CreateModel(
            name='SignupForm',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('slug', models.SlugField(help_text='Its page is /subscribe/SLUG.', max_length=80, verbose_name='slug')),
                ('title', models.CharField(max_length=200, validators=[recipients.validators.validate_header_text], verbose_name='title')),
                ('introduction', models.TextField(blank=True, verbose_name='introduction')),
                ('wording', models.TextField(help_text='What people agree to; it is kept with each consent, word for word.', verbose_name='wording')),
                ('language', models.CharField(blank=True, help_text='BCP 47: en, vi, pt-BR.', max_length=35, verbose_name='language')),
                ('welcome_subject', models.CharField(blank=True, help_text="Empty: Welcome to, and the list's name.", max_length=200, validators=[recipients.validators.validate_header_text], verbose_name='welcome subject')),
                ('welcome_text', models.TextField(blank=True, help_text='Sent once, when a person confirms for the first time. Empty: nothing is sent.', verbose_name='welcome text')),
                ('is_open', models.BooleanField(default=True, verbose_name='is open')),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('fields', models.ManyToManyField(blank=True, help_text='Asked beside the address.', to='recipients.field', verbose_name='fields')),
                ('mailing_list', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='forms', to='recipients.mailinglist', verbose_name='mailing list')),
                ('sender', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to='campaigns.sender', verbose_name='sender')),
                ('wordings', models.ManyToManyField(blank=True, editable=False, to='recipients.consentwording')),
            ],
            options={
                'verbose_name_plural': 'sign-up forms',
                'verbose_name': 'sign-up form',
                'constraints': [models.UniqueConstraint(fields=('slug',), name='signup_form_slug_unique')],
            },
        ),
        migrations.CreateModel(
            name='Signup',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('wording', models.BinaryField(max_length=32)),
                ('answers', models.JSONField(default=dict)),
                ('asked_at', models.DateTimeField()),
                ('mailing_list', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to='recipients.mailinglist')),
                ('recipient', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='signups', to='recipients.recipient')),
                ('form', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, to='recipients.signupform')),
            ],
            options={
                'indexes': [models.Index(fields=['asked_at'], name='signup_age')],
                'constraints': [models.UniqueConstraint(fields=('recipient', 'mailing_list'), name='signup_unique')],
            },
        ),
        migrations.CreateModel(
            name='Notice',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(choices=[('confirmation', 'asks to confirm a subscription'), ('privacy', 'leads to what is known of a person'), ('welcome', 'greets a new subscriber')], max_length=12)),
                ('key', models.CharField(max_length=254)),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('claimed_at', models.DateTimeField(blank=True, null=True)),
                ('next_attempt_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('attempts', models.PositiveSmallIntegerField(db_default=0)),
                ('sent_at', models.DateTimeField(blank=True, null=True)),
                ('failed_at', models.DateTimeField(blank=True, null=True)),
                ('diagnostic', models.TextField(blank=True, db_default='')),
                ('recipient', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to='recipients.recipient')),
                ('form', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, to='recipients.signupform')),
            ],
            options={
                'verbose_name': 'message of ours',
                'verbose_name_plural': 'messages of ours',
                'indexes': [models.Index(condition=models.Q(('failed_at__isnull', True), ('sent_at__isnull', True)), fields=['next_attempt_at'], name='notice_open')],
                'constraints': [models.CheckConstraint(condition=models.Q(('kind__in', ['confirmation', 'privacy', 'welcome'])), name='notice_kind_known'), models.CheckConstraint(condition=models.Q(('sent_at__isnull', True), ('failed_at__isnull', True), _connector='OR'), name='notice_one_end'), models.UniqueConstraint(condition=models.Q(('failed_at__isnull', True), ('sent_at__isnull', True)), fields=('recipient', 'kind'), name='notice_open_once')],
            },
        ),
        migrations.CreateModel(
            name='SignupWindow',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('who', models.CharField(max_length=50)),
                ('hour', models.DateTimeField()),
                ('used', models.PositiveIntegerField()),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('who', 'hour'), name='signup_window_unique')],
            },
        ),
        migrations.CreateModel(
            name='Subscription',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('state', models.CharField(choices=[('pending', 'Pending'), ('confirmed', 'Confirmed'), ('unsubscribed', 'Unsubscribed')], max_length=12, verbose_name='state')),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('changed_at', models.DateTimeField(auto_now=True, verbose_name='changed at')),
                ('imported_by', models.ForeignKey(blank=True, db_constraint=False, db_index=False, editable=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, to='recipients.import')),
                ('mailing_list', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.CASCADE, to='recipients.mailinglist', verbose_name='mailing list')),
                ('recipient', models.ForeignKey(db_constraint=False, on_delete=django.db.models.deletion.CASCADE, to='recipients.recipient', verbose_name='recipient')),
            ],
            options={
                'verbose_name': 'subscription',
                'verbose_name_plural': 'subscriptions',
                'constraints': [models.UniqueConstraint(fields=('mailing_list', 'recipient'), include=('state',), name='subscription_unique'), models.CheckConstraint(condition=models.Q(('state__in', ['pending', 'confirmed', 'unsubscribed'])), name='subscription_state_known')],
            },
        ),
        migrations.CreateModel(
            name='Suppression',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('key', models.CharField(max_length=254, null=True, verbose_name='address or domain')),
                ('digest', models.BinaryField(max_length=32, null=True)),
                ('reason', models.CharField(choices=[('soft_bounce', 'messages came back again and again'), ('bounce', 'messages came back'), ('complaint', 'Complaint'), ('unsubscribed', 'asked for no mail at all'), ('manual', 'added by staff'), ('erased', 'asked to be forgotten')], max_length=12, verbose_name='reason')),
                ('source', models.CharField(blank=True, max_length=200, verbose_name='source')),
                ('created_at', models.DateTimeField(auto_now_add=True, verbose_name='created at')),
            ],
            options={
                'verbose_name': 'suppression',
                'verbose_name_plural': 'suppressions',
                'permissions': [('lift_complaint', 'Can lift a suppression that follows a complaint')],
                'indexes': [models.Index(condition=models.Q(('key__isnull', False), models.Q(('key__contains', '@'), _negated=True)), fields=['key'], name='suppression_domain')],
                'constraints': [models.UniqueConstraint(fields=('key',), name='suppression_key_unique'), models.UniqueConstraint(fields=('digest',), name='suppression_digest_unique'), models.CheckConstraint(condition=models.Q(('key__isnull', True), ('digest__isnull', True), _connector='XOR'), name='suppression_key_or_digest'), models.CheckConstraint(condition=models.Q(('reason__in', ['soft_bounce', 'bounce', 'complaint', 'unsubscribed', 'manual', 'erased'])), name='suppression_reason_known')],
            },
        ),
        migrations.CreateModel(
            name='Tagging',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('imported_by', models.ForeignKey(blank=True, db_constraint=False, db_index=False, editable=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, to='recipients.import')),
                ('recipient', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to='recipients.recipient')),
                ('tag', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, to='recipients.tag')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('tag', 'recipient'), name='tagging_unique')],
            },
        ),
        migrations.CreateModel(
            name='ConsentDetail',
            fields=[
                ('event', models.OneToOneField(db_constraint=False, on_delete=django.db.models.deletion.DO_NOTHING, primary_key=True, serialize=False, to='recipients.consentevent')),
                ('salt', models.BinaryField(max_length=16)),
                ('ip', models.GenericIPAddressField(null=True)),
                ('user_agent', models.CharField(blank=True, max_length=300)),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
            ],
            options={
                'indexes': [models.Index(fields=['created_at'], name='consent_detail_age')],
            },
        ),
        migrations.AddField(
            model_name='import',
            name='mailing_list',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, to='recipients.mailinglist', verbose_name='mailing list'),
        ),
        migrations.AddField(
            model_name='import',
            name='tags',
            field=models.ManyToManyField(blank=True, to='recipients.tag', verbose_name='tags'),
        ),
        migrations.AddField(
            model_name='tag',
            name='recipients',
            field=models.ManyToManyField(related_name='tags', through='recipients.Tagging', to='recipients.recipient'),
        ),
    ]
