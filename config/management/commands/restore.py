from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from config.backup import archive, keys, restoring
from config.backup.archive import Refused


class Command(BaseCommand):
    help = (
        "Put a backup in the place of database and media library. Nothing goes out afterwards "
        "until confirm_instance says so."
    )
    requires_system_checks = ()  # there may be no table yet

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path, help="what `backup` has written")
        parser.add_argument(
            "--check", action="store_true", help="only say whether it is whole and fits"
        )
        parser.add_argument(
            "--overwrite", action="store_true", help="give up what is in the database now"
        )
        parser.add_argument(
            "--other-keys", action="store_true", help="restore it without the keys it was made with"
        )
        parser.add_argument(
            "--without-media",
            action="store_true",
            help="leave the files of the library as they are",
        )
        parser.add_argument("--bin", type=Path, metavar="DIR", help="where pg_restore is")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            with archive.reading(options["file"]) as reader:
                plan = restoring.look(reader)
                self._tell(plan)
                if not options["check"]:
                    _refuse(plan, options)
                    written = restoring.restore(
                        reader, with_media=not options["without_media"], binaries=options["bin"]
                    )
        except Refused as refusal:
            raise CommandError(str(refusal)) from None
        if options["check"]:
            self.stdout.write("whole, and of a release that is known here; nothing was touched")
            return
        self.stdout.write(f"restored: {sum(plan.manifest.rows.values())} rows, {written} files")
        self.stdout.write(
            "Nothing goes out. Everybody signs in again. Look through the campaigns, cancel what "
            "must not be sent, then say: manage.py confirm_instance --yes"
        )

    def _tell(self, plan: restoring.Plan) -> None:
        said = plan.manifest
        self.stdout.write(f"made at {said.made_at}, of {said.installation or 'no INSTANCE_ID'}")
        for name in plan.other_keys:
            self.stderr.write(f"{name} is another one: {keys.WITHOUT[name]}")
        for difference in plan.other_settings:
            self.stderr.write(difference)
        for key in said.lost:
            self.stderr.write(f"the media library had lost {key}: it is not in the backup")


def _refuse(plan: restoring.Plan, options: dict[str, Any]) -> None:
    if plan.other_keys and not options["other_keys"]:
        raise Refused("set the keys that the backup was made with, or say --other-keys")
    if plan.has_content and not options["overwrite"]:
        raise Refused("the database has content; --overwrite gives it up")
