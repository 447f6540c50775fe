import campaigns.queues
import recipients.validators
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
    ]

    operations = [
        migrations.CreateModel(
            name='Sender',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('display_name', models.CharField(blank=True, max_length=200, validators=[recipients.validators.validate_header_text], verbose_name='display name')),
                ('address', models.CharField(max_length=254, verbose_name='address')),
                ('reply_to', models.CharField(blank=True, max_length=254, verbose_name='reply to')),
                ('envelope_domain', models.CharField(blank=True, help_text="Domain of the envelope sender, where bounces arrive. Empty: the address's own.", max_length=253, verbose_name='envelope domain')),
                ('dkim_domain', models.CharField(blank=True, help_text='Its active keys sign the messages. Empty: the relay does.', max_length=253, verbose_name='DKIM domain')),
                ('postal_address', models.CharField(blank=True, help_text='What {{ sender_address }} writes. The law asks for it in many countries.', max_length=300, verbose_name='postal address')),
                ('queue', models.CharField(blank=True, help_text='One that QUEUES names. Its workers send what is not urgent. Empty: campaigns.', max_length=50, validators=[campaigns.queues.validate_queue], verbose_name='queue')),
                ('created_at', models.DateTimeField(auto_now_add=True, verbose_name='created at')),
            ],
            options={
                'verbose_name': 'sender',
                'verbose_name_plural': 'senders',
                'constraints': [models.UniqueConstraint(fields=('display_name', 'address'), name='sender_mailbox_unique'), models.CheckConstraint(condition=models.Q(('queue__in', ('transactional', 'campaigns', 'maintenance', 'control', 'imports', 'tracking', 'webhooks')), _negated=True), name='sender_queue_not_our_own')],
            },
        ),
    ]
