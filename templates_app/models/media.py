"""The library of images and files: what people see (a file by its name) and what is stored."""

from datetime import datetime
from typing import Self

from django.db import models
from django.db.models import Case, Q, Value, When
from django.db.models.functions import Lower, Now
from django.utils.translation import gettext_lazy as _


class ScanState(models.TextChoices):
    """What the malware scanner said."""

    PENDING = "pending", _("not scanned yet")
    CLEAN = "clean", _("clean")
    INFECTED = "infected", _("infected")
    ERROR = "error", _("the scanner did not answer")
    OFF = "off", _("scanning is switched off")


class MediaBlobQuerySet(models.QuerySet["MediaBlob"]):
    def to_be_scanned(self) -> Self:
        """What no scanner has judged: what was never tried first, and then by chance.

        What fails each time, because it is too large for the scanner, has nobody else wait.
        """
        waiting = self.filter(scan__in=(ScanState.PENDING, ScanState.ERROR))
        return waiting.order_by(Case(When(scan=ScanState.PENDING, then=0), default=1), "?")

    def unnamed(self, *, before: datetime) -> Self:
        """Which no file of the library has since that time."""
        return self.filter(files=None, named_at__lt=before)


class MediaBlob(models.Model):
    """Bytes in the storage, once for each content. Never changed: versions and runs point here."""

    digest = models.CharField(max_length=64)  # SHA-256, in hexadecimal
    key = models.CharField(max_length=200)  # its name in the storage
    # In the address of an image, 128 random bits: who was not sent it does not find it.
    token = models.CharField(max_length=32)
    size = models.PositiveIntegerField()  # bytes
    content_type = models.CharField(max_length=100)  # from our table, by what the bytes are
    width = models.PositiveIntegerField(null=True)  # pixels, of images
    height = models.PositiveIntegerField(null=True)
    scan = models.CharField(max_length=8, choices=ScanState)
    scan_said = models.CharField(max_length=200, blank=True)
    # Its address was put into a template. Of what is no image, others are for staff alone.
    is_linked = models.BooleanField(default=False)
    created_at = models.DateTimeField(auto_now_add=True)
    named_at = models.DateTimeField(db_default=Now())  # when a file last had them, as far as noted

    objects = MediaBlobQuerySet.as_manager()

    class Meta:
        verbose_name = _("media blob")
        verbose_name_plural = _("media blobs")
        constraints = [
            models.UniqueConstraint(fields=["digest"], name="media_blob_digest_unique"),
            models.UniqueConstraint(fields=["token"], name="media_blob_token_unique"),
            models.CheckConstraint(
                condition=Q(scan__in=ScanState.values), name="media_blob_scan_known"
            ),
        ]

    def __str__(self) -> str:
        return self.digest

    @property
    def is_image(self) -> bool:
        return self.content_type.startswith("image/")


class MediaFileQuerySet(models.QuerySet["MediaFile"]):
    def at(self, folder: str, name: str) -> Self:
        """With this folder, and this name in whatever case: as the constraint compares them."""
        lowered = self.alias(lowered=Lower("name"))
        return lowered.filter(folder=folder, lowered=Lower(Value(name)))


class MediaFile(models.Model):
    """A name in the library; to replace a file is to let its name point to another blob."""

    folder = models.CharField(
        _("folder"), max_length=200, blank=True, help_text=_("Such as Logos or 2026/Spring.")
    )
    name = models.CharField(_("name"), max_length=100)
    blob = models.ForeignKey(
        MediaBlob,
        on_delete=models.PROTECT,
        related_name="files",
        verbose_name=_("blob"),
    )
    alt = models.CharField(max_length=300, blank=True)  # what an image shows, in words
    uploaded_by = models.CharField(_("uploaded by"), max_length=150, blank=True)
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)
    updated_at = models.DateTimeField(_("updated at"), auto_now=True)

    objects = MediaFileQuerySet.as_manager()

    class Meta:
        verbose_name = _("media file")
        verbose_name_plural = _("media files")
        constraints = [
            models.UniqueConstraint("folder", Lower("name"), name="media_file_name_unique")
        ]

    def __str__(self) -> str:
        return self.path

    @property
    def path(self) -> str:
        """What follows `media:` in a template."""
        return f"{self.folder}/{self.name}" if self.folder else self.name
