import django.db.models.deletion
import django.db.models.functions.datetime
import django.db.models.functions.text
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('auth', '__first__'),
    ]

    operations = [
        migrations.CreateModel(
            name='Layout',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=100, verbose_name='name')),
                ('kind', models.CharField(choices=[('mjml', 'MJML'), ('html', 'HTML')], default='mjml', max_length=8, verbose_name='kind')),
                ('source', models.TextField(verbose_name='source')),
                ('updated_at', models.DateTimeField(auto_now=True, verbose_name='updated at')),
            ],
            options={
                'verbose_name': 'layout',
                'verbose_name_plural': 'layouts',
                'constraints': [models.UniqueConstraint(fields=('name',), name='layout_name_unique'), models.CheckConstraint(condition=models.Q(('kind__in', ['mjml', 'html'])), name='layout_kind_known')],
            },
        ),
        migrations.CreateModel(
            name='EmailTemplate',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('subject', models.CharField(max_length=500, verbose_name='subject')),
                ('preheader', models.CharField(blank=True, help_text='What an inbox shows behind the subject; hidden in the message itself.', max_length=300, verbose_name='preheader')),
                ('source', models.TextField(verbose_name='source')),
                ('text', models.TextField(blank=True, help_text='Left empty, the text part is made from the HTML.', verbose_name='text part')),
                ('name', models.CharField(max_length=200, verbose_name='name')),
                ('kind', models.CharField(choices=[('mjml', 'MJML'), ('html', 'HTML'), ('markdown', 'Markdown'), ('text', 'plain text')], default='mjml', max_length=8, verbose_name='kind')),
                ('language', models.CharField(blank=True, help_text='Of this text, such as de or pt-BR. Readers of a language without a variant of its own get this one.', max_length=35, verbose_name='language')),
                ('link_parameters', models.CharField(blank=True, help_text='Added to each link to a web page, such as utm_source=newsletter&utm_medium=email', max_length=500, verbose_name='link parameters')),
                ('is_raw', models.BooleanField(default=False, verbose_name='is raw')),
                ('created_at', models.DateTimeField(auto_now_add=True, verbose_name='created at')),
                ('updated_at', models.DateTimeField(auto_now=True, verbose_name='updated at')),
                ('layout', models.ForeignKey(blank=True, help_text='For Markdown; without one, a plain letter.', null=True, on_delete=django.db.models.deletion.PROTECT, related_name='templates', to='templates_app.layout', verbose_name='layout')),
            ],
            options={
                'verbose_name': 'email template',
                'verbose_name_plural': 'email templates',
                'permissions': [('write_raw_html', 'Can write HTML that is not sanitised')],
                'constraints': [models.UniqueConstraint(fields=('name',), name='email_template_name_unique'), models.CheckConstraint(condition=models.Q(('kind__in', ['mjml', 'html', 'markdown', 'text'])), name='email_template_kind_known'), models.CheckConstraint(condition=models.Q(('source', ''), _negated=True), name='email_template_has_source'), models.CheckConstraint(condition=models.Q(('layout', None), ('kind', 'markdown'), _connector='OR'), name='email_template_layout_is_for_markdown')],
            },
        ),
        migrations.CreateModel(
            name='MediaBlob',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('digest', models.CharField(max_length=64)),
                ('key', models.CharField(max_length=200)),
                ('token', models.CharField(max_length=32)),
                ('size', models.PositiveIntegerField()),
                ('content_type', models.CharField(max_length=100)),
                ('width', models.PositiveIntegerField(null=True)),
                ('height', models.PositiveIntegerField(null=True)),
                ('scan', models.CharField(choices=[('pending', 'not scanned yet'), ('clean', 'clean'), ('infected', 'infected'), ('error', 'the scanner did not answer'), ('off', 'scanning is switched off')], max_length=8)),
                ('scan_said', models.CharField(blank=True, max_length=200)),
                ('is_linked', models.BooleanField(default=False)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('named_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
            ],
            options={
                'verbose_name': 'media blob',
                'verbose_name_plural': 'media blobs',
                'constraints': [models.UniqueConstraint(fields=('digest',), name='media_blob_digest_unique'), models.UniqueConstraint(fields=('token',), name='media_blob_token_unique'), models.CheckConstraint(condition=models.Q(('scan__in', ['pending', 'clean', 'infected', 'error', 'off'])), name='media_blob_scan_known')],
            },
        ),
        migrations.CreateModel(
            name='MediaFile',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('folder', models.CharField(blank=True, help_text='Such as Logos or 2026/Spring.', max_length=200, verbose_name='folder')),
                ('name', models.CharField(max_length=100, verbose_name='name')),
                ('alt', models.CharField(blank=True, max_length=300)),
                ('uploaded_by', models.CharField(blank=True, max_length=150, verbose_name='uploaded by')),
                ('created_at', models.DateTimeField(auto_now_add=True, verbose_name='created at')),
                ('updated_at', models.DateTimeField(auto_now=True, verbose_name='updated at')),
                ('blob', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='files', to='templates_app.mediablob', verbose_name='blob')),
            ],
            options={
                'verbose_name': 'media file',
                'verbose_name_plural': 'media files',
                'constraints': [models.UniqueConstraint(models.F('folder'), django.db.models.functions.text.Lower('name'), name='media_file_name_unique')],
            },
        ),
        migrations.CreateModel(
            name='Snippet',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.SlugField(max_length=100, verbose_name='name')),
                ('kind', models.CharField(choices=[('mjml', 'MJML'), ('html', 'HTML'), ('markdown', 'Markdown'), ('text', 'plain text')], max_length=8, verbose_name='kind')),
                ('source', models.TextField(verbose_name='source')),
                ('updated_at', models.DateTimeField(auto_now=True, verbose_name='updated at')),
            ],
            options={
                'verbose_name': 'snippet',
                'verbose_name_plural': 'snippets',
                'constraints': [models.UniqueConstraint(fields=('name',), name='snippet_name_unique'), models.CheckConstraint(condition=models.Q(('kind__in', ['mjml', 'html', 'markdown', 'text'])), name='snippet_kind_known')],
            },
        ),
        migrations.CreateModel(
            name='TemplateDraft',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('typed', models.JSONField()),
                ('base', models.CharField(blank=True, max_length=64)),
                ('revision', models.PositiveIntegerField()),
                ('saved_at', models.DateTimeField()),
                ('author', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('template', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='drafts', to='templates_app.emailtemplate')),
            ],
            options={
                'verbose_name': 'template draft',
                'verbose_name_plural': 'template drafts',
                'constraints': [models.UniqueConstraint(fields=('template', 'author'), name='template_draft_author_unique', nulls_distinct=False)],
            },
        ),
        migrations.CreateModel(
            name='TemplateVariant',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('subject', models.CharField(max_length=500, verbose_name='subject')),
                ('preheader', models.CharField(blank=True, help_text='What an inbox shows behind the subject; hidden in the message itself.', max_length=300, verbose_name='preheader')),
                ('source', models.TextField(verbose_name='source')),
                ('text', models.TextField(blank=True, help_text='Left empty, the text part is made from the HTML.', verbose_name='text part')),
                ('language', models.CharField(max_length=35, verbose_name='language')),
                ('template', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='variants', to='templates_app.emailtemplate')),
            ],
            options={
                'verbose_name': 'template variant',
                'verbose_name_plural': 'template variants',
                'constraints': [models.UniqueConstraint(fields=('template', 'language'), name='template_variant_language_unique'), models.CheckConstraint(condition=models.Q(('language', ''), _negated=True), name='template_variant_has_language'), models.CheckConstraint(condition=models.Q(('source', ''), _negated=True), name='template_variant_has_source')],
            },
        ),
        migrations.CreateModel(
            name='TemplateVersion',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('subject', models.CharField(max_length=500, verbose_name='subject')),
                ('html', models.TextField(blank=True, verbose_name='HTML')),
                ('text', models.TextField(blank=True, verbose_name='text')),
                ('links', models.JSONField(default=list)),
                ('number', models.PositiveIntegerField(verbose_name='number')),
                ('digest', models.CharField(max_length=64)),
                ('language', models.CharField(blank=True, max_length=35)),
                ('source', models.JSONField()),
                ('saved_by', models.CharField(blank=True, max_length=150, verbose_name='saved by')),
                ('created_at', models.DateTimeField(auto_now_add=True, verbose_name='created at')),
                ('template', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='versions', to='templates_app.emailtemplate', verbose_name='template')),
            ],
            options={
                'verbose_name': 'template version',
                'verbose_name_plural': 'template versions',
                'constraints': [models.UniqueConstraint(fields=('template', 'number'), name='template_version_number_unique'), models.UniqueConstraint(fields=('template', 'digest'), name='template_version_digest_unique'), models.UniqueConstraint(condition=models.Q(('template', None)), fields=('digest',), name='template_version_inline_unique')],
            },
        ),
        migrations.CreateModel(
            name='Screenshot',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('language', models.CharField(blank=True, max_length=35)),
                ('view', models.CharField(choices=[('desktop', 'Desktop'), ('mobile', 'Mobile'), ('dark', 'Desktop, dark')], max_length=7)),
                ('is_waiting', models.BooleanField(default=True)),
                ('png', models.BinaryField(null=True)),
                ('problem', models.CharField(blank=True, max_length=300)),
                ('asked_at', models.DateTimeField()),
                ('version', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='screenshots', to='templates_app.templateversion')),
            ],
            options={
                'verbose_name': 'screenshot',
                'verbose_name_plural': 'screenshots',
                'constraints': [models.UniqueConstraint(fields=('version', 'language', 'view'), name='screenshot_view_unique'), models.CheckConstraint(condition=models.Q(('view__in', ['desktop', 'mobile', 'dark'])), name='screenshot_view_known')],
            },
        ),
        migrations.CreateModel(
            name='VersionVariant',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('subject', models.CharField(max_length=500, verbose_name='subject')),
                ('html', models.TextField(blank=True, verbose_name='HTML')),
                ('text', models.TextField(blank=True, verbose_name='text')),
                ('links', models.JSONField(default=list)),
                ('language', models.CharField(max_length=35)),
                ('version', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='variants', to='templates_app.templateversion')),
            ],
            options={
                'verbose_name': 'version variant',
                'verbose_name_plural': 'version variants',
                'constraints': [models.UniqueConstraint(fields=('version', 'language'), name='version_variant_language_unique')],
            },
        ),
    ]
