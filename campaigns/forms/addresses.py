"""Addresses, domains and groups of domains, as forms take them."""

from campaigns.sending.domains import group_of
from recipients.forms.recipients import clean_address


def group(text: str) -> str:
    """Return the group that is meant: a domain of a known one stands for all of its domains."""
    return group_of(domain(text)) if "." in text else text.strip().lower()


def domain(text: str) -> str:
    return addr_spec(f"postmaster@{text.strip()}").partition("@")[2]


def addr_spec(text: str) -> str:
    return clean_address(text).addr_spec
