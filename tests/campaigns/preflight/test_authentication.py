from collections.abc import Mapping

import pytest

from campaigns.preflight import dmarc, spf
from campaigns.preflight.authentication import Identity, check
from campaigns.preflight.findings import Severity
from campaigns.preflight.names import Names
from campaigns.sending.dkim import Algorithm, Key, generate, load
from tests.dns_server import DNSServer

KEY = Key("shore.org", "s1", load(generate(Algorithm.RSA)))
OTHER = Key("shore.org", "s1", load(generate(Algorithm.ED25519)))
EGRESS = "203.0.113.7"
ZONE: Mapping[str, list[str]] = {
    " ns": ["a.root-servers.net."],
    "shore.org soa": ["ns.shore.org. admin.shore.org. 1 1 1 1 1"],
    "shore.org mx": ["10 mx.shore.org."],
    "shore.org txt": [f'"v=spf1 ip4:{EGRESS} -all"'],
    "mx.shore.org a": ["203.0.113.9"],
    "out.shore.org a": [EGRESS],
    "_dmarc.shore.org txt": ['"v=DMARC1; p=none; rua=mailto:dmarc@shore.org"'],
    "s1._domainkey.shore.org txt": [
        f'"{KEY.record[i : i + 200]}"' for i in range(0, len(KEY.record), 200)
    ],
    "7.113.0.203.in-addr.arpa ptr": ["out.shore.org."],
}
ZONE = {**ZONE, "s1._domainkey.shore.org txt": [" ".join(ZONE["s1._domainkey.shore.org txt"])]}

PUBLISHED = ZONE["s1._domainkey.shore.org txt"][0]


def identity(**changes: object) -> Identity:
    whole = {
        "domain": "shore.org",
        "envelope_domain": "shore.org",
        "dkim_domain": "shore.org",
        "keys": [KEY],
        "egress": [EGRESS],
    }
    return Identity(**{**whole, **changes})  # type: ignore[arg-type]


def found(zone: Mapping[str, list[str]], **changes: object) -> list[tuple[str, str]]:
    with DNSServer(zone) as server:
        findings = check(identity(**changes), Names(server.resolver()))
    return [(each.severity.value, each.name) for each in findings]


def test_a_sender_that_is_set_up_well_has_nothing_that_is_found() -> None:
    assert found(ZONE) == []
    assert found(ZONE, helo=["out.shore.org"]) == []


@pytest.mark.parametrize(
    ("name", "changes", "expected"),
    [
        ("mx.shore.org", {}, ["mx.shore.org, which leads to 203.0.113.9"]),
        ("localhost", {}, ["localhost, which leads to no address"]),
        ("mx.shore.org", {"egress": [EGRESS, "203.0.113.9"]}, []),
        ("mx.shore.org", {"egress": []}, []),
    ],
)
def test_what_the_relay_calls_itself_leads_to_where_messages_leave_from(
    name: str, changes: dict[str, object], expected: list[str]
) -> None:
    with DNSServer(ZONE) as server:
        findings = check(identity(helo=[name], **changes), Names(server.resolver()))

    said = [each for each in findings if each.name == "helo-name"]
    assert [each.message.removeprefix("the relay calls itself ") for each in said] == expected
    assert all(each.severity is Severity.WARNING for each in said)


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"shore.org mx": ["0 ."]}, [("error", "from-null-mx"), ("warning", "bounce-mx")]),
        ({"shore.org mx": []}, [("error", "from-unknown"), ("warning", "bounce-mx")]),
        ({"shore.org mx": [], "shore.org a": ["203.0.113.9"]}, [("warning", "bounce-mx")]),
        ({"shore.org soa": []}, [("warning", "from-no-zone")]),
        ({"shore.org txt": []}, [("error", "spf-record")]),
        ({"shore.org txt": ['"v=spf1 -all"', '"v=spf1 ~all"']}, [("error", "spf-record")]),
        ({"shore.org txt": ['"v=spf10"', f'"v=spf1 ip4:{EGRESS} -all"']}, []),
        ({"shore.org txt": ['"v=spf1 -all"']}, [("error", "spf-egress")]),
        ({"shore.org txt": ['"v=spf1 a:out.shore.org -all"']}, []),
        ({"shore.org txt": ['"v=spf1 a:out.shore.org/24 -all"']}, []),
        ({"shore.org txt": ['"v=spf1 +all ptr"']}, [("warning", "spf-ptr")]),
        ({"shore.org txt": [f'"v=spf1 ip4:{EGRESS} ipv4:1.1.1.1"']}, [("error", "spf-record")]),
        ({"shore.org txt": ['"v=spf1 redirect=_spf.shore.org"'],
          "_spf.shore.org txt": [f'"v=spf1 ip4:{EGRESS}/32 -all"']}, []),
        ({"s1._domainkey.shore.org txt": []}, [("error", "dkim-record")]),
        ({"s1._domainkey.shore.org txt": ['"v=DKIM1; p="']}, [("error", "dkim-record")]),
        ({"s1._domainkey.shore.org txt": [f"{PUBLISHED} \"; s=tlsrpt\""]},
         [("error", "dkim-record")]),
        ({"s1._domainkey.shore.org txt": [f"{PUBLISHED} \"; s=tlsrpt:email\""]}, []),
        ({"s1._domainkey.shore.org txt": [PUBLISHED, '"v=DKIM1; p=AAAA"']},
         [("error", "dkim-record")]),
        ({"s1._domainkey.shore.org txt": [f'"{OTHER.record}"']}, [("error", "dkim-record")]),
        ({"_dmarc.shore.org txt": []}, [("error", "dmarc-record")]),
        ({"_dmarc.shore.org txt": ['"v=DMARC1; p=none"']}, [("warning", "dmarc-reports")]),
        ({"_dmarc.shore.org txt": ['"v=DMARC1; p=none; pct=50; rua=mailto:a@b.org"']},
         [("warning", "dmarc-obsolete")]),
        ({"_dmarc.shore.org txt": ['"v=DMARC1; p=sometimes; rua=mailto:a@b.org"']},
         [("error", "dmarc-record")]),
        ({"7.113.0.203.in-addr.arpa ptr": []}, [("error", "ptr")]),
        ({"7.113.0.203.in-addr.arpa ptr": ["other.shore.org."]}, [("error", "ptr")]),
        ({"7.113.0.203.in-addr.arpa ptr": ["203-0-113-7.pool.isp.net."],
          "203-0-113-7.pool.isp.net a": [EGRESS]}, [("warning", "ptr-generic")]),
    ],
)  # fmt: skip
def test_a_record_that_receivers_would_not_take_is_named(
    changed: Mapping[str, list[str]], expected: list[tuple[str, str]]
) -> None:
    assert found({**ZONE, **changed}) == expected


@pytest.mark.parametrize(("includes", "is_error"), [(10, False), (11, True)])
def test_ten_lookups_of_spf_are_taken_and_not_eleven(includes: int, is_error: bool) -> None:
    terms = " ".join(f"include:s{n}.shore.org" for n in range(includes))
    zone = {f"s{n}.shore.org txt": ['"v=spf1 ip4:192.0.2.1"'] for n in range(includes)}

    findings = found(
        {
            **ZONE,
            **zone,
            "shore.org txt": [f'"v=spf1 ip4:{EGRESS}" " {terms[:200]}" "{terms[200:]} -all"'],
        }
    )

    assert (("error", "spf-lookups") in findings) == is_error


def test_a_policy_that_includes_itself_comes_to_an_end() -> None:
    zone = {"loop.org txt": ['"v=spf1 include:loop.org -all"']}

    with DNSServer(zone) as server:
        names = Names(server.resolver())
        policy = spf.examine(names, "loop.org")
        result = spf.result(names, "loop.org", EGRESS)

    assert policy.lookups > spf.MOST_LOOKUPS
    assert result in {"permerror", "fail"}


@pytest.mark.parametrize(
    ("domains", "expected"),
    [
        ({"envelope_domain": "bounce.shore.org"}, []),
        ({"envelope_domain": "esp.net"}, [("warning", "alignment")]),
        ({"dkim_domain": "esp.net", "keys": []}, [("warning", "alignment")]),
        ({"envelope_domain": "esp.net", "dkim_domain": "esp.net", "keys": []},
         [("error", "alignment")]),
        ({"envelope_domain": "esp.net", "dkim_domain": "", "keys": []},
         [("warning", "alignment")]),
        ({"dkim_domain": "", "keys": []}, [("advice", "dkim-by-relay")]),
    ],
)  # fmt: skip
def test_the_domains_of_envelope_and_signature_have_to_belong_to_that_of_from(
    domains: Mapping[str, object], expected: list[tuple[str, str]]
) -> None:
    zone = {
        **ZONE,
        **{f"{name} txt": ZONE["shore.org txt"] for name in ("esp.net", "bounce.shore.org")},
        **{f"{name} mx": ["10 mx.shore.org."] for name in ("esp.net", "bounce.shore.org")},
    }

    assert found(zone, **domains) == expected


@pytest.mark.parametrize(
    ("domain", "organization"),
    [
        ("shore.org", "shore.org"),
        ("a.b.shore.org", "shore.org"),
        ("a.b.c.d.e.f.g.h.i.shore.org", "shore.org"),
        ("own.shore.org", "own.shore.org"),
        ("shop.giant.bank", "giant.bank"),
        ("none.net", "none.net"),
    ],
)
def test_the_organization_of_a_domain_is_found_by_walking_up(
    domain: str, organization: str
) -> None:
    zone = {
        **ZONE,
        "_dmarc.own.shore.org txt": ['"v=DMARC1; p=none; psd=n"'],
        "_dmarc.bank txt": ['"v=DMARC1; p=reject; psd=y"'],
    }

    with DNSServer(zone) as server:
        names = Names(server.resolver())
        found = dmarc.organization(names, domain)

        assert found == organization
        assert len([each for each in server.asked if each.startswith("_dmarc")]) <= 8


def test_what_the_dns_does_not_answer_is_a_warning_and_no_error() -> None:
    with DNSServer(ZONE, silent=["_dmarc.shore.org txt", "7.113.0.203.in-addr.arpa ptr"]) as server:
        findings = check(identity(), Names(server.resolver(lifetime=0.2)))

    assert [(each.severity, each.name) for each in findings] == [
        (Severity.WARNING, "dns-unanswered")
    ]
    assert "TXT _dmarc.shore.org" in findings[0].message


def test_without_any_answer_it_is_advice() -> None:
    with DNSServer(ZONE, silent=["*"]) as server:
        findings = check(identity(egress=[]), Names(server.resolver(lifetime=0.01)))

    assert [(each.severity, each.name) for each in findings] == [(Severity.ADVICE, "dns-offline")]
    assert check(identity(), Names(None))[0].name == "dns-offline"


def test_a_closed_network_that_denies_every_name_is_no_reason_to_block() -> None:
    with DNSServer({"inside.corp a": ["10.0.0.1"]}) as server:
        findings = check(identity(), Names(server.resolver()))

    assert [(each.severity, each.name) for each in findings] == [(Severity.ADVICE, "dns-offline")]


def test_a_reserved_domain_is_not_asked_about() -> None:
    with DNSServer(ZONE) as server:
        findings = check(identity(domain="news.example.org"), Names(server.resolver()))

        assert server.asked == []
    assert [(each.severity, each.name) for each in findings] == [
        (Severity.ADVICE, "sender-reserved")
    ]
