import django.contrib.postgres.fields
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models
from recipients.tables import TablesAtOnce


class Migration(TablesAtOnce):

    initial = True

    dependencies = [
        ('auth', '0012_alter_user_first_name_max_length'),
        ('recipients', '0001_initial'),
    ]

    operations = [
        migrations.CreateModel(
            name='ApiKey',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=100)),
                ('prefix', models.CharField(max_length=12)),
                ('digest', models.BinaryField(max_length=32)),
                ('scopes', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=150), default=list, size=None)),
                ('is_limited', models.BooleanField(db_default=False, default=False)),
                ('created_at', models.DateTimeField()),
                ('expires_at', models.DateTimeField(null=True)),
                ('last_used_at', models.DateTimeField(null=True)),
                ('revoked_at', models.DateTimeField(null=True)),
                ('lists', models.ManyToManyField(blank=True, related_name='+', to='recipients.mailinglist')),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='api_keys', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'verbose_name': 'API key',
                'default_permissions': ('view', 'change'),
                'constraints': [models.UniqueConstraint(fields=('prefix',), name='api_key_prefix_unique')],
            },
        ),
        migrations.CreateModel(
            name='IdempotentAnswer',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('holder', models.CharField(max_length=40)),
                ('endpoint', models.CharField(max_length=300)),
                ('key', models.CharField(max_length=255)),
                ('request', models.BinaryField(max_length=32)),
                ('status', models.PositiveSmallIntegerField()),
                ('headers', models.JSONField()),
                ('body', models.BinaryField()),
                ('created_at', models.DateTimeField()),
            ],
            options={
                'default_permissions': (),
                'indexes': [models.Index(fields=['created_at'], name='idempotent_answer_at')],
                'constraints': [models.UniqueConstraint(fields=('holder', 'endpoint', 'key'), name='idempotent_answer_unique')],
            },
        ),
        migrations.CreateModel(
            name='SignedIn',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('digest', models.BinaryField(max_length=32)),
                ('session_key', models.CharField(blank=True, max_length=40)),
                ('auth_hash', models.CharField(max_length=64)),
                ('created_at', models.DateTimeField()),
                ('expires_at', models.DateTimeField()),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'default_permissions': (),
                'indexes': [models.Index(fields=['expires_at'], name='signed_in_expires')],
                'constraints': [models.UniqueConstraint(fields=('digest',), name='signed_in_digest_unique')],
            },
        ),
        migrations.CreateModel(
            name='AuditEntry',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('at', models.DateTimeField()),
                ('actor', models.CharField(max_length=200)),
                ('user_id', models.BigIntegerField(null=True)),
                ('origin', models.CharField(choices=[('web', 'Web page'), ('api', 'HTTP API'), ('command', 'Command'), ('itself', 'Godwit itself, or SQL by hand')], max_length=7)),
                ('ip', models.GenericIPAddressField(null=True)),
                ('act', models.CharField(max_length=50)),
                ('kind', models.CharField(max_length=100)),
                ('object_id', models.CharField(blank=True, max_length=40)),
                ('name', models.CharField(blank=True, max_length=200)),
                ('before', models.JSONField(null=True)),
                ('after', models.JSONField(null=True)),
                ('rows', models.PositiveIntegerField(default=1)),
            ],
            options={
                'verbose_name': 'audit entry',
                'verbose_name_plural': 'audit entries',
                'default_permissions': ('view',),
                'indexes': [models.Index(fields=['kind', 'object_id', '-id'], name='audit_of_object'), models.Index(fields=['actor', '-id'], name='audit_by_actor'), models.Index(fields=['at'], name='audit_at')],
                'constraints': [models.CheckConstraint(condition=models.Q(('origin__in', ['web', 'api', 'command', 'itself'])), name='audit_origin_known')],
            },
        ),
        migrations.CreateModel(
            name='GivenPermission',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('role', models.CharField(max_length=30)),
                ('permission', models.CharField(max_length=150)),
            ],
            options={
                'verbose_name': 'given permission',
                'verbose_name_plural': 'given permissions',
                'constraints': [models.UniqueConstraint(fields=('role', 'permission'), name='given_permission_unique')],
            },
        ),
        migrations.CreateModel(
            name='Profile',
            fields=[
                ('user', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='profile', serialize=False, to=settings.AUTH_USER_MODEL)),
                ('language', models.CharField(blank=True, choices=[('en', 'English'), ('vi', 'Tiếng Việt')], max_length=10)),
                ('time_zone', models.CharField(blank=True, max_length=64)),
                ('theme', models.CharField(blank=True, choices=[('', 'As the system is'), ('light', 'Light'), ('dark', 'Dark')], max_length=5)),
                ('shortcuts', models.BooleanField(default=True)),
            ],
            options={
                'verbose_name': 'profile',
                'verbose_name_plural': 'profiles',
                'constraints': [models.CheckConstraint(condition=models.Q(('theme__in', ['', 'light', 'dark'])), name='profile_theme_known')],
            },
        ),
    ]
