"""What Celery's worker makes of a Redis that does not answer."""

from kombu.transport import redis, virtual


class QoS(redis.QoS):
    """Kombu's list of what a worker was given, from which everything goes that is done.

    Kombu keeps a message there whose acknowledgement failed, and Celery only logs that. Where its
    connections outlive it (Redis stood still for longer than `socket_timeout`), the message holds
    its place for ever, and a worker with as many as it may have takes no other one. What Redis was
    not told, it gives out again after the visibility timeout; then there is nothing to claim.
    """

    def ack(self, delivery_tag: str) -> None:
        try:
            super().ack(delivery_tag)
        except Exception:
            self._forget(delivery_tag)
            raise

    def reject(self, delivery_tag: str, requeue: bool = False) -> None:
        try:
            super().reject(delivery_tag, requeue=requeue)
        except Exception:
            self._forget(delivery_tag)
            raise

    def _forget(self, delivery_tag: str) -> None:
        virtual.QoS.ack(self, delivery_tag)


def install() -> None:
    """Have every channel to Redis keep its list like this."""
    redis.Channel.QoS = QoS
