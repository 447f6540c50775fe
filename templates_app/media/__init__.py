from templates_app.media.library import resolve
from templates_app.media.refused import Refused

__all__ = ["Refused", "resolve"]
