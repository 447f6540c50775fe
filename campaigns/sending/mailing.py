"""What one run says, ready to be made personal: the only place where content meets a recipient."""

from datetime import datetime
from functools import lru_cache
from typing import Any

from campaigns.models import Run
from campaigns.sending.claim import Claimed
from campaigns.sending.compose import Skeleton, envelope_sender, message_id
from campaigns.sending.outgoing import Outgoing
from recipients.addresses import parse_address, parse_mailbox
from recipients.headers import BadHeader
from templates_app.models import TemplateVersion
from templates_app.rendering import Compiled, RenderError, Rendered, compile_content
from tracking import links


class NotComposed(Exception):
    """There is no message for this recipient; the text says why."""
