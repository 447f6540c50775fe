from argparse import ArgumentTypeError
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from campaigns.management.base import Command as BaseCommand
from recipients.models import Field
from templates_app.gallery import STARTERS, NoStarter, bundle_of, starter
from templates_app.models import EmailTemplate, Kind, Layout, TemplateVariant
from templates_app.moving import Clash, import_template
from templates_app.services import save_template, unknown_fields

_SOURCES = ("mjml", "html", "markdown")
_ABOUT_LANGUAGES = ("variant_subject", "variant_preheader", "variant_text")


class Command(BaseCommand):
    help = (
        "Create a template from files, or from the gallery. Its fields ({{ first_name }}) must be "
        "fields that recipients have; a fault is named with its line, and nothing is saved."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name")
        source = parser.add_argument_group(
            "what it says: one of --mjml, --html, --markdown, --text alone, or --from-gallery"
        )
        one = source.add_mutually_exclusive_group()
        one.add_argument("--mjml", type=Path, metavar="FILE")
        one.add_argument("--html", type=Path, metavar="FILE")
        one.add_argument("--markdown", type=Path, metavar="FILE")
        one.add_argument(
            "--from-gallery",
            metavar="STARTER",
            help=f"one of {', '.join(each.slug for each in STARTERS)}; the snippets that it uses "
            "come with it, unless there are some of their names",
        )
        source.add_argument(
            "--text",
            type=Path,
            metavar="FILE",
            help="the text part, which is else made from the HTML; alone: all of the message",
        )
        parser.add_argument("--subject", help="needed, but for --from-gallery")
        parser.add_argument("--preheader", help="what an inbox shows behind the subject")
        parser.add_argument("--layout", metavar="NAME", default="", help="for --markdown")
        parser.add_argument("--language", default="", help="of what it says, such as de or pt-BR")
        parser.add_argument("--link-parameters", default="", metavar="utm_source=…")
        parser.add_argument(
            "--raw",
            action="store_true",
            help="keep its HTML exactly as written, with all that mail may not have",
        )
        languages = parser.add_argument_group(
            "the same in further languages; each may be given several times"
        )
        for option, value, words in (
            ("--variant", "FILE", "the source, of the same kind"),
            ("--variant-subject", "SUBJECT", "needed for each variant"),
            ("--variant-preheader", "TEXT", ""),
            ("--variant-text", "FILE", "its text part"),
        ):
            languages.add_argument(
                option,
                action="append",
                default=[],
                type=_pair,
                metavar=f"LANGUAGE={value}",
                help=words,
            )

    def handle(self, *args: Any, **options: Any) -> None:
        template = _from_gallery(options) if options["from_gallery"] else _from_files(options)
        self.stdout.write(f"template {template.name!r} created")
        known = Field.objects.exists()
        if not known and (names := unknown_fields(template)):
            self.stderr.write(
                f"no recipients are imported yet: {', '.join(names)} must be among their columns "
                "before a campaign with this template can be scheduled"
            )


def _from_gallery(options: dict[str, Any]) -> EmailTemplate:
    others = (
        "text",
        "subject",
        "preheader",
        "layout",
        "language",
        "link_parameters",
        "raw",
        "variant",
    )
    if given := [each for each in (*others, *_ABOUT_LANGUAGES) if options[each]]:
        raise CommandError(f"--from-gallery comes without {_option(given[0])}; edit it afterwards")
    try:
        bundle = bundle_of(starter(options["from_gallery"]), name=options["name"])
    except NoStarter as error:
        raise CommandError(str(error)) from None
    return import_template(bundle, name=options["name"], clash=Clash.MINE).template


def _from_files(options: dict[str, Any]) -> EmailTemplate:
    kind, file = _source(options)
    if options["subject"] is None:
        raise CommandError("a template needs a --subject")
    template = EmailTemplate(
        name=options["name"],
        kind=kind,
        layout=_layout(options["layout"]),
        language=options["language"],
        link_parameters=options["link_parameters"],
        is_raw=options["raw"],
        subject=options["subject"],
        preheader=options["preheader"] or "",
        source=_read(file),
        text=_read(options["text"]) if options["text"] and kind != Kind.TEXT else "",
    )
    known = set(Field.objects.values_list("name", flat=True))
    save_template(template, variants=_variants(options), known=known, may_write_raw=options["raw"])
    return template


def _source(options: dict[str, Any]) -> tuple[Kind, Path]:
    for name in _SOURCES:
        if options[name]:
            return Kind(name), options[name]
    if options["text"]:
        return Kind.TEXT, options["text"]
    raise CommandError("say what is in it: --mjml, --html, --markdown, --text or --from-gallery")


def _layout(name: str) -> Layout | None:
    if not name:
        return None
    if layout := Layout.objects.filter(name=name).first():
        return layout
    there_are = ", ".join(Layout.objects.order_by("name").values_list("name", flat=True))
    raise CommandError(f"there is no layout {name!r}; there are {there_are or 'none yet'}")


def _variants(options: dict[str, Any]) -> list[TemplateVariant]:
    about = {option: _once(option, options[option]) for option in ("variant", *_ABOUT_LANGUAGES)}
    for option in _ABOUT_LANGUAGES:
        if extra := sorted(about[option].keys() - about["variant"].keys()):
            raise CommandError(f"{_option(option)} {extra[0]}: name its --variant {extra[0]}=FILE")
    if missing := sorted(about["variant"].keys() - about["variant_subject"].keys()):
        raise CommandError(f"--variant {missing[0]}: name its --variant-subject {missing[0]}=…")
    return [
        TemplateVariant(
            language=language,
            subject=about["variant_subject"][language],
            preheader=about["variant_preheader"].get(language, ""),
            source=_read(Path(file)),
            text=_read(Path(text)) if (text := about["variant_text"].get(language)) else "",
        )
        for language, file in about["variant"].items()
    ]


def _once(option: str, pairs: list[tuple[str, str]]) -> dict[str, str]:
    languages = [language for language, _ in pairs]
    for language in languages:
        if languages.count(language) > 1:
            raise CommandError(f"{_option(option)} {language} is given twice")
    return dict(pairs)


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _pair(text: str) -> tuple[str, str]:
    language, sign, value = text.partition("=")
    if not (language and sign and value):
        raise ArgumentTypeError(f"{text!r}: write a language, = and the value, such as de=…")
    return language, value


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise CommandError(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise CommandError(f"{path}: is not UTF-8") from None
