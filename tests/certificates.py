"""A certificate authority for one test: nothing of it is trusted outside of its contexts."""

import datetime
import ipaddress
import ssl
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from config.signing import Files

HOUR = datetime.timedelta(hours=1)
Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


@dataclass(frozen=True, slots=True)
class TLSPair:
    """What a server on 127.0.0.1 shows, and what a client needs to trust it."""

    server: ssl.SSLContext
    client: ssl.SSLContext


def make_tls_pair(folder: Path) -> TLSPair:
    key_path, certificate_path = folder / "key.pem", folder / "certificate.pem"
    write_pair(ec.generate_private_key(ec.SECP256R1()), key_path, certificate_path)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificate_path, key_path)
    return TLSPair(server, ssl.create_default_context(cafile=certificate_path))


def make_signing_files(folder: Path, *, lasts: datetime.timedelta = HOUR) -> Files:
    """Make a key of RSA, with its certificate in a store of its own."""
    files = Files(folder / "key.pem", folder / "store" / "own.pem", folder / "store")
    files.store.mkdir(parents=True)
    key = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
    write_pair(key, files.key, files.certificate, lasts=lasts)
    return files


def write_pair(
    key: Key, key_path: Path, certificate_path: Path, *, lasts: datetime.timedelta = HOUR
) -> None:
    key_path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    certificate = _self_signed(key, lasts)
    certificate_path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))


def _self_signed(key: Key, lasts: datetime.timedelta) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "scripted.test")])
    now = datetime.datetime.now(datetime.UTC)
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - 24 * HOUR)
        .not_valid_after(now + lasts)
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
