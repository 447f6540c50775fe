"""Messages that pages show in a frame, held for as long as somebody looks at them.

A frame has an address of its own, so that its answer has a policy of its own. What recipients'
fields hold is not for addresses and logs, and so the address is a digest of what it shows.
"""

import hashlib
import re

from django.conf import settings
from django.utils.translation import gettext as _
from redis import RedisError

from templates_app.redis_servers import connect

MINUTES = 60
_TOKEN = re.compile(r"[0-9a-f]{64}")


class Unheld(Exception):
    """Nothing can be held at the moment; the text says why."""


def hold(html: str, *, user_id: int) -> str:
    """Hold a document for somebody, for `MINUTES`; return what it is asked for by.

    :raises Unheld: Redis is away.
    """
    token = hashlib.sha256(f"{user_id}\n{html}".encode(errors="surrogatepass")).hexdigest()
    try:
        with connect(settings.REDIS_URL) as redis:
            redis.set(_key(token, user_id), html.encode(errors="replace"), ex=60 * MINUTES)
    except RedisError as error:
        raise Unheld(_("Redis does not answer: %(error)s") % {"error": error}) from None
    return token


def held(token: str, *, user_id: int) -> str | None:
    """Return the document that was held for this account, unless it is too long ago.

    :raises Unheld: Redis is away.
    """
    if not is_token(token):
        return None
    try:
        with connect(settings.REDIS_URL) as redis:
            found = redis.get(_key(token, user_id))
    except RedisError as error:
        raise Unheld(_("Redis does not answer: %(error)s") % {"error": error}) from None
    return found.decode() if isinstance(found, bytes) else None


def is_token(text: str) -> bool:
    return bool(_TOKEN.fullmatch(text))


def _key(token: str, user_id: int) -> str:
    return f"godwit:frame:{user_id}:{token}"
