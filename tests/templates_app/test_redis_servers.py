import pytest

from templates_app.redis_servers import MASTER, PORT, sentinels

URL = (
    "sentinel://godwit:p%2Fw@a.example:5000;sentinel://[::1];sentinel://c.example/3"
    "?master=news&sentinel_password=s%40cret"
)


def test_the_url_of_sentinels_says_where_they_are_and_who_logs_in() -> None:
    found = sentinels(URL)

    assert found.places == (("a.example", 5000), ("::1", PORT), ("c.example", PORT))
    assert (found.master, found.database) == ("news", 3)
    assert found.login == {"username": "godwit", "password": "p/w"}
    assert found.kwargs["password"] == "s@cret"
    assert "username" not in found.kwargs


def test_without_options_it_is_redis_own_name_of_a_master_and_the_first_database() -> None:
    found = sentinels("sentinel://a.example")

    assert (found.master, found.database, found.login) == (MASTER, 0, {})


def test_each_part_of_celerys_url_has_all_that_it_needs_to_know() -> None:
    parts = sentinels(URL).celery_url.split(";")

    assert parts == [
        "sentinel://godwit:p%2Fw@a.example:5000/3",
        f"sentinel://godwit:p%2Fw@[::1]:{PORT}/3",
        f"sentinel://godwit:p%2Fw@c.example:{PORT}/3",
    ]


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("sentinel://a.example;sentinel://:s3cret@b.example", "password once"),
        ("sentinel://a.example/1;sentinel://b.example/1", "database and the master once"),
        ("sentinel://a.example?master=x;sentinel://b.example", "database and the master once"),
        ("sentinel://a.example/news", "^write sentinel://"),
        ("sentinel://a.example;", "^write sentinel://"),
        ("sentinel://a.example:s3cret", "no port$"),
    ],
)
def test_what_can_be_read_in_two_ways_is_refused_without_a_password(url: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason) as raised:
        sentinels(url)

    assert "s3cret" not in str(raised.value)
