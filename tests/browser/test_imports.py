"""Files as people have them, from the upload to the rows that were not taken."""

import csv
import io
from pathlib import Path

from django.utils import timezone
from openpyxl import Workbook
from playwright.sync_api import FilePayload, Locator, Page, expect

from recipients.importing import jobs
from recipients.models import Field, Import, ImportStatus, Recipient
from tests.browser.conftest import Visit

NAME = "Nguyễn Thị Hoà"
TWO_LINES = 'email,name\nlan@example.org,"Lan\nof ""Hanoi"""\nnobody,Gus\n'


def table(delimiter: str, name: str = NAME) -> str:
    rows = (("email", "name"), ("hoa@example.org", name), ("nobody", "Gus"))
    return "".join(f"{delimiter.join(row)}\n" for row in rows)


def workbook() -> bytes:
    book, file = Workbook(write_only=True), io.BytesIO()
    sheet = book.create_sheet()
    for row in (["Email", "Name"], ["hoa@example.org", NAME], ["nobody", "Gus"]):
        sheet.append(row)
    book.save(file)
    return file.getvalue()


# What a file is called: its bytes, the encoding and the delimiter that are found, a name in it.
READ = {
    "bom.csv": (table(",").encode("utf-8-sig"), "utf-8", ",", NAME),
    "utf-16.csv": (table("\t").encode("utf-16"), "utf-16", "\t", NAME),
    "semicolons.csv": (table(";").encode(), "utf-8", ";", NAME),
    "tabs.tsv": (table("\t").encode(), "utf-8", "\t", NAME),
    "two-lines.csv": (TWO_LINES.encode(), "utf-8", ",", 'Lan of "Hanoi"'),
    "no-header.csv": (f"hoa@example.org,{NAME}\nnobody,Gus\n".encode(), "utf-8", ",", NAME),
    "renamed.csv": (workbook(), "", "", NAME),
}
# What cannot be read at all, and what is said of it.
REFUSED = {
    "nothing.csv": (b"", "The submitted file is empty."),
    "blank.csv": (b" \n\n", "it is empty"),
    "old.csv": (b"\xd0\xcf\x11\xe0rest", "it is an old Excel file; save it as .xlsx"),
    "broken.xlsx": (b"PK\x03\x04\xff\x00", "no Excel file that can be read"),
    "picture.csv": (b"\x00\x01\x02", "it is neither CSV nor Excel"),
}


def upload(visit: Visit, name: str, data: bytes) -> None:
    visit.open("/imports/new/")
    file = FilePayload(name=name, mimeType="text/csv", buffer=data)
    visit.page.get_by_label("File").set_input_files(file)
    with visit.page.expect_navigation():
        visit.page.get_by_role("button", name="Look at the file").click()


def first_row(page: Page) -> Locator:
    return page.locator(".cells tbody tr").first


def check(page: Page, name: str) -> Import:
    """Go on to what would happen; a worker's part is done here."""
    page.get_by_label("Or a new list").fill(f"List of {name}")
    with page.expect_navigation():
        page.get_by_role("button", name="Check the file").last.click()
    importing = Import.objects.latest("pk")
    work(importing)
    return importing


def work(importing: Import) -> None:
    while jobs.step(importing.pk, clock=timezone.now, seconds=60):
        pass


def rejected(page: Page) -> list[list[str]]:
    with page.expect_download() as fetched:
        page.get_by_role("link", name="Fetch them with the reasons").click()
    return list(csv.reader(Path(fetched.value.path()).read_text().splitlines()))


def test_files_are_read_as_people_have_them_and_what_is_wrong_can_be_fetched(
    visit: Visit,
) -> None:
    Field.objects.create(name="name")
    page, found = visit.page, {}

    for name, (data, _encoding, _delimiter, _who) in READ.items():
        upload(visit, name, data)
        read_by = [
            field.input_value() if field.count() else ""
            for field in (page.locator("#id_encoding"), page.locator("#id_delimiter"))
        ]
        if name == "no-header.csv":
            page.get_by_label("Column 2").select_option("name")
        cells = " ".join(first_row(page).inner_text().split())
        check(page, name)
        expect(page.get_by_text("Rows that are not imported: 1")).to_be_visible()
        [_titles, row] = rejected(page)
        found[name] = (*read_by, cells.partition(" ")[2], row[-2:])

    assert found == {
        name: (encoding, delimiter, who, ["nobody", "Gus"])
        for name, (_data, encoding, delimiter, who) in READ.items()
    }


def test_a_wrong_encoding_is_seen_and_mended_before_anything_is_imported(visit: Visit) -> None:
    page = visit.page
    upload(visit, "windows-1258.csv", table(",", "Lê Đăng Hà").encode("cp1258"))
    expect(first_row(page)).to_be_visible()
    page.get_by_label("Encoding").select_option("cp1258")
    page.get_by_role("button", name="Show the rows again").click()
    expect(first_row(page)).to_contain_text("Lê Đăng Hà")

    importing = check(page, "windows")
    page.get_by_role("button", name="Import", exact=True).click()
    expect(page.locator(".state")).to_have_text("Being imported")
    work(importing)

    # The page follows by itself.
    expect(page.locator(".state")).to_have_text("Done")
    assert Recipient.objects.get().fields == {"name": "Lê Đăng Hà"}
    assert Import.objects.get().status == ImportStatus.DONE


def test_what_cannot_be_read_is_refused_in_words_and_nothing_is_kept(visit: Visit) -> None:
    said = {}

    for name, (data, _words) in REFUSED.items():
        upload(visit, name, data)
        expect(visit.page.locator(".errors")).to_be_focused()
        said[name] = visit.page.locator(".errors").inner_text()

    words = {name: words for name, (_data, words) in REFUSED.items()}
    assert {name: words[name].lower() in said[name].lower() for name in said} == dict.fromkeys(
        REFUSED, True
    )
    assert not Import.objects.exists()
    assert all("422" in each for each in visit.wrong)
    visit.wrong.clear()
