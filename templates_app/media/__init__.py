from templates_app.media.library import lookup, resolve
from templates_app.media.refused import Refused

__all__ = ["Refused", "lookup", "resolve"]
