"""What is inside of a ZIP file, which DOCX, XLSX and PPTX are as well; nothing is unpacked."""

import zipfile
from typing import IO, Final

from django.utils.formats import number_format
from django.utils.translation import gettext as _

from templates_app.media.refused import Refused

ZIP = "application/zip"
_OFFICE = "application/vnd.openxmlformats-officedocument."
DOCX: Final = f"{_OFFICE}wordprocessingml.document"
XLSX: Final = f"{_OFFICE}spreadsheetml.sheet"
PPTX: Final = f"{_OFFICE}presentationml.presentation"

MOST_MEMBERS = 1_000
MOST_UNPACKED = 100_000_000  # bytes
MOST_RATIO = 100  # unpacked to packed; text has 10, a bomb 1,000 and more
_SMALL = 1_000_000  # bytes unpacked, below which no ratio is a bomb
_HEAD = 64  # bytes of a member
_PIECE = 262_144


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Gmail refuses these as attachments, also within archives (support.google.com/mail/answer/6590).
BLOCKED = _words(
    "ade adp apk appx appxbundle bat cab chm cmd com cpl diagcab diagcfg diagpkg dll dmg ex ex_ exe"
    " hta img ins iso isp jar jnlp js jse lib lnk mde mjs msc msi msix msixbundle msp mst nsh pif"
    " ps1 scr sct shb sys vb vbe vbs vhd vxd wsc wsf wsh xll"
)
_MACROS = _words("docm dotm xlsm xltm xlam xlsb pptm potm ppsm ppam sldm")
_ARCHIVES = _words("zip 7z rar tar gz tgz bz2 tbz xz txz zst lz lzma cab arj z")
_PROGRAMS = (b"MZ", b"\x7fELF", b"\xca\xfe\xba\xbe", b"\xcf\xfa\xed\xfe")
_PACKED = (b"PK\x03\x04", b"Rar!", b"7z\xbc\xaf", b"\x1f\x8b", b"BZh", b"\xfd7zXZ")
_DOCUMENTS = frozenset({"docx", "xlsx", "pptx", "odt", "ods", "odp", "epub"})  # ZIPs by their form
_MAIN_PARTS = {"word/document.xml": DOCX, "xl/workbook.xml": XLSX, "ppt/presentation.xml": PPTX}
_ENCRYPTED = 0x1


def examine(file: IO[bytes]) -> str:
    """Return which content type the archive has, if there is nothing in it that is refused.

    :raises Refused: programs, macros, archives, passwords, bombs, or no ZIP at all.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            members = archive.infolist()
            _check_size(members)
            for member in members:
                _check_name(member)
                _check_content(archive, member)
            names = {member.filename for member in members}
    except Refused:
        raise
    except Exception as error:
        # zipfile raises whatever it stumbles over: BadZipFile, struct.error, NotImplementedError …
        raise Refused(_("it is a damaged ZIP file, or none; make it anew")) from error
    return next((kind for part, kind in _MAIN_PARTS.items() if part in names), ZIP)


def extension_of(name: str) -> str:
    return name.rpartition(".")[2].lower() if "." in name else ""


def _check_size(members: list[zipfile.ZipInfo]) -> None:
    if len(members) > MOST_MEMBERS:
        count, most = (
            number_format(each, force_grouping=True) for each in (len(members), MOST_MEMBERS)
        )
        text = _("there are %(count)s files in it; %(most)s at most")
        raise Refused(text % {"count": count, "most": most})
    unpacked = sum(member.file_size for member in members)
    packed = sum(member.compress_size for member in members)
    if unpacked > MOST_UNPACKED or (unpacked > _SMALL and unpacked > MOST_RATIO * packed):
        raise Refused(_("unpacked it would be far larger than a mail may be; send a smaller one"))


def _check_name(member: zipfile.ZipInfo) -> None:
    inside, extension = member.filename, extension_of(member.filename.rstrip(" ."))
    if member.flag_bits & _ENCRYPTED:
        raise Refused(
            _("%(name)s has a password; mail providers refuse what they cannot look into")
            % {"name": inside}
        )
    if ".." in inside.split("/") or inside.startswith("/"):
        raise Refused(
            _("%(name)s would leave the folder into which it is unpacked") % {"name": inside}
        )
    if extension in BLOCKED:
        raise Refused(
            _("%(name)s is inside, a kind of file that mail providers refuse") % {"name": inside}
        )
    if extension in _MACROS or inside.lower().endswith("vbaproject.bin"):
        raise Refused(
            _("there are macros in it (%(name)s); save it without macros") % {"name": inside}
        )
    if extension in _ARCHIVES:
        raise Refused(
            _("%(name)s is an archive in an archive; put its files into one") % {"name": inside}
        )


def _check_content(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> None:
    if member.is_dir():
        return
    with archive.open(member) as content:
        head = content.read(_HEAD)
        while content.read(_PIECE):  # to its end: a size that is not true is found there
            pass
    if head.startswith(_PROGRAMS) and b"\0" in head:
        raise Refused(_("%(name)s is a program, whatever it is called") % {"name": member.filename})
    if head.startswith(_PACKED) and extension_of(member.filename) not in _DOCUMENTS:
        raise Refused(
            _("%(name)s is an archive in an archive; put its files into one")
            % {"name": member.filename}
        )
