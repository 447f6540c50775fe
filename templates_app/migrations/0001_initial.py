import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
    ]

    operations = [
        migrations.CreateModel(
            name='EmailTemplate',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=200)),
                ('subject', models.CharField(max_length=500)),
                ('html', models.TextField(blank=True, verbose_name='HTML')),
                ('text', models.TextField(blank=True, help_text='Left empty, the text part is made from the HTML.')),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('updated_at', models.DateTimeField(auto_now=True)),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('name',), name='email_template_name_unique'), models.CheckConstraint(condition=models.Q(models.Q(('html', ''), _negated=True), models.Q(('text', ''), _negated=True), _connector='OR'), name='email_template_has_body')],
            },
        ),
        migrations.CreateModel(
            name='TemplateVersion',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('number', models.PositiveIntegerField()),
                ('digest', models.CharField(max_length=64)),
                ('subject', models.CharField(max_length=500)),
                ('html', models.TextField(blank=True, verbose_name='HTML')),
                ('text', models.TextField(blank=True)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('template', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='versions', to='templates_app.emailtemplate')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('template', 'number'), name='template_version_number_unique'), models.UniqueConstraint(fields=('template', 'digest'), name='template_version_digest_unique')],
            },
        ),
    ]
