"""Find what a domain asks receivers to do with messages that are not its own (DMARC, RFC 9989)."""

from campaigns.preflight.names import Names

_MOST_QUERIES = 8  # RFC 9989 4.10


def tags_of(record: str) -> dict[str, str]:
    """Return the tags of a DMARC or DKIM record."""
    pairs = (part.partition("=") for part in record.split(";"))
    return {name.strip().lower(): value.strip() for name, _, value in pairs if name.strip()}


def record_at(names: Names, domain: str) -> dict[str, str]:
    """Return the tags of the one DMARC record at a domain; none, or several, count as none."""
    found = [tags_of(text) for text in names.texts(f"_dmarc.{domain}")]
    found = [tags for tags in found if tags.get("v") == "DMARC1"]
    return found[0] if len(found) == 1 else {}


def walk(names: Names, domain: str) -> list[tuple[str, dict[str, str]]]:
    """Return the records from the domain upwards, with where each stands (RFC 9989 4.10)."""
    labels = domain.lower().rstrip(".").split(".")
    steps = [labels]
    # A long name is asked for, and then the one of seven labels.
    labels = labels[-7:] if len(labels) > _MOST_QUERIES - 1 else labels[1:]
    while labels:
        steps.append(labels)
        labels = labels[1:]
    found = []
    for each in steps[:_MOST_QUERIES]:
        name = ".".join(each)
        if record := record_at(names, name):
            found.append((name, record))
            if record.get("psd") in {"n", "y"}:
                break
    return found


def organization(names: Names, domain: str) -> str:
    """Return the domain that alignment compares (RFC 9989 4.10.2)."""
    domain = domain.lower().rstrip(".")
    found = walk(names, domain)
    for name, record in found:
        if record.get("psd") == "n":
            return name
        if record.get("psd") == "y" and name != domain:
            kept = name.count(".") + 2  # one label more than the public suffix
            return ".".join(domain.split(".")[-kept:])
    return found[-1][0] if found else domain


def policy(names: Names, domain: str) -> dict[str, str]:
    """Return the record that holds for messages from this domain; empty where there is none."""
    found = walk(names, domain)
    if found and found[0][0] == domain:
        return found[0][1]
    return found[-1][1] if found else {}
