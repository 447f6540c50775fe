"""What is wrong with the files of signed messages is said before anything starts."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from pytest_django.fixtures import Settings

from config.checks import certificate_lasts
from config.signing import Files
from config.signing.files import problem_of
from tests.certificates import make_signing_files, write_pair

NOW = datetime.now(UTC)


def test_a_key_with_its_certificate_in_the_store_is_well(tmp_path: Path) -> None:
    files = make_signing_files(tmp_path)

    assert problem_of(files, now=NOW) == ""


def no_key(files: Files) -> None:
    files.key.unlink()


def no_pem(files: Files) -> None:
    files.certificate.write_text("certificate")


def another_key(files: Files) -> None:
    files.key.write_bytes(make_signing_files(files.key.parent / "other").key.read_bytes())


def elliptic(files: Files) -> None:
    write_pair(ec.generate_private_key(ec.SECP256R1()), files.key, files.certificate)


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (no_key, "key.pem cannot be read: No such file or directory"),
        (no_pem, "the key is no PEM without a password, or a certificate is none"),
        (another_key, "the certificate is not that of the key"),
        (elliptic, "the key is not one of RSA"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, spoil: Callable[[Files], None], says: str) -> None:
    files = make_signing_files(tmp_path)

    spoil(files)

    assert problem_of(files, now=NOW).endswith(says)


def test_a_certificate_that_is_not_in_the_store_signs_nothing(tmp_path: Path) -> None:
    files = make_signing_files(tmp_path / "one")
    other = make_signing_files(tmp_path / "other")
    mixed = Files(files.key, files.certificate, other.store)

    assert problem_of(mixed, now=NOW) == f"the certificate is not in {other.store}"


def test_a_certificate_counts_until_it_expires_and_no_second_longer(tmp_path: Path) -> None:
    files = make_signing_files(tmp_path, lasts=timedelta(minutes=1))
    end = (datetime.now(UTC) + timedelta(minutes=1)).replace(microsecond=0)

    assert problem_of(files, now=end - timedelta(seconds=2)) == ""
    assert problem_of(files, now=end) == "a certificate has expired: CN=scripted.test"


@pytest.mark.parametrize(("days", "warns"), [(29, True), (31, False)])
def test_an_operator_is_warned_a_month_before_the_end(
    tmp_path: Path, settings: Settings, days: int, warns: bool
) -> None:
    files = make_signing_files(tmp_path, lasts=timedelta(days=days))
    settings.TASK_SIGNING = [files.key, files.certificate, files.store]

    said = [each.msg for each in certificate_lasts()]

    assert any("then nothing is sent" in each for each in said) == warns
