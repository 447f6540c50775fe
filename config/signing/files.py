"""What may be wrong with the files."""

from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from config.signing import Files


def problem_of(files: Files, *, now: datetime) -> str:
    """Say why nothing could be signed, or nothing read; empty where both could."""
    try:
        private = serialization.load_pem_private_key(files.key.read_bytes(), None)
        own, known = own_certificate(files), _known(files)
    except OSError as error:
        return f"{error.filename} cannot be read: {error.strerror}"
    except (TypeError, ValueError):
        return "the key is no PEM without a password, or a certificate is none"
    if not isinstance(private, rsa.RSAPrivateKey):
        return "the key is not one of RSA"
    if private.public_key() != own.public_key():
        return "the certificate is not that of the key"
    if own not in known:
        return f"the certificate is not in {files.store}"
    over = [each for each in known if each.not_valid_after_utc <= now]
    return f"a certificate has expired: {over[0].subject.rfc4514_string()}" if over else ""


def own_certificate(files: Files) -> x509.Certificate:
    return x509.load_pem_x509_certificate(files.certificate.read_bytes())


def _known(files: Files) -> list[x509.Certificate]:
    return [x509.load_pem_x509_certificate(each.read_bytes()) for each in files.store.iterdir()]
