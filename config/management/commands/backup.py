from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from config.backup import saving
from config.backup.archive import Refused


class Command(BaseCommand):
    help = "Write the database and the media library into one file, while everything runs."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path, help="a new file, or a directory for one")
        parser.add_argument(
            "--without-media", action="store_true", help="leave the files of the library out"
        )
        parser.add_argument("--bin", type=Path, metavar="DIR", help="where pg_dump is")

    def handle(self, *args: Any, **options: Any) -> None:
        now, target = timezone.now(), options["file"]
        if target.is_dir():
            target = target / f"godwit-{now:%Y%m%d-%H%M%S}.backup"
        try:
            made = saving.save(
                target, now=now, with_media=not options["without_media"], binaries=options["bin"]
            )
        except Refused as refusal:
            raise CommandError(str(refusal)) from None
        for key in made.lost:
            self.stderr.write(f"the media library has lost {key}: it is not in the backup")
        files = sum(name.startswith("media/") for name in made.digests)
        size = target.stat().st_size / 1_000_000
        self.stdout.write(
            f"{target}: {size:.1f} MB, {sum(made.rows.values())} rows, {files} files of the library"
        )
        self.stdout.write("SECRET_KEY, ADDRESS_KEY and TOKEN_KEYS are not in it: keep them apart")
