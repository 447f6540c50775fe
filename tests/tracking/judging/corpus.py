"""Hits as mail systems and people make them, labelled with whose they are.

Written for these tests after the habits that mail systems describe and senders report; the label is
who did it, whatever the rules can see. A line is a second after sending, what was asked for (`open`
or the number of a link; `HEAD`), who says to ask, and whose it was; `!` marks what the rules get
wrong, and have to, by what a request shows.
"""

from typing import NamedTuple

AGENTS = {
    "firefox": "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "chrome": "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/139.0.0.0 Safari/537.36",
    "iphone": "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 "
    "(KHTML, like Gecko) Version/18.6 Mobile/15E148 Safari/604.1",
    "apple mail": "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 "
    "(KHTML, like Gecko)",
    "apple prefetch": "Mozilla/5.0",
    "gmail": "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com "
    "GoogleImageProxy)",
    "gmail prefetch": "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like "
    "Gecko) Chrome/42.0.2311.135 Safari/537.36 Edge/12.246 Mozilla/5.0",
    "yahoo": "YahooMailProxy; https://help.yahoo.com/kb/yahoo-mail-proxy-SLN28749.html",
    "outlook": "Mozilla/4.0 (compatible; MSIE 7.0; Windows NT 10.0; WOW64; Trident/7.0; .NET4.0C; "
    ".NET4.0E; Microsoft Outlook 16.0.17928; ms-office; MSOffice 16)",
    "thunderbird": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Thunderbird/140.2.0",
    "cubot": "Mozilla/5.0 (Linux; Android 13; CUBOT P80) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/138.0.0.0 Mobile Safari/537.36",
    "curl": "curl/8.5.0",
    "python": "python-requests/2.32.3",
    "go": "Go-http-client/2.0",
    "okhttp": "okhttp/4.12.0",
    "java": "Java/17.0.12",
    "headless": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "HeadlessChrome/138.0.0.0 Safari/537.36",
    "bingpreview": "Mozilla/5.0 (Windows NT 6.1; WOW64) AppleWebKit/534+ (KHTML, like Gecko) "
    "BingPreview/1.0b",
    "slackbot": "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)",
    "barracuda": "Mozilla/5.0 (compatible; BarracudaCentral/1.0)",
    "": "",
}


class Scenario(NamedTuple):
    title: str
    links: int | None
    hits: str


SCENARIOS = [
    Scenario("somebody reads in Thunderbird and clicks", 5, """
        1800    open  thunderbird     person
        1830    2     firefox         person
    """),
    Scenario("somebody reads in Gmail, twice, and clicks once", 5, """
        3       open  gmail           person
        5400    open  gmail           person
        5425    0     chrome          person
    """),
    Scenario("Gmail loads pictures when the message arrives, its reader reads later", 5, """
        2       open  gmail prefetch  machine
        40      open  gmail prefetch  machine
        7200    open  gmail           person
    """),
    Scenario("somebody reads at Yahoo", 5, """
        600     open  yahoo           person
        660     1     firefox         person
    """),
    Scenario("Apple loads the pictures of everything, its reader clicks on the phone", 5, """
        75      open  apple prefetch  machine
        9000    open  apple prefetch  machine
        9400    3     iphone          person
    """),
    Scenario("Apple Mail without that protection", 5, """
        360     open  apple mail      person
        364     0     iphone          person
    """),
    Scenario("Outlook on a desktop, where pictures are shown", 5, """
        480     open  outlook         person
        500     4     chrome          person
        520     4     chrome          person
    """),
    Scenario("who reads on a telephone of CUBOT", 5, """
        480     open  cubot           person
        490     1     cubot           person
    """),
    Scenario("a gateway follows each link at hand-over", 4, """
        0.4     0     chrome          machine
        0.5     1     chrome          machine
        0.6     2     chrome          machine
        0.7     3     chrome          machine
        3600    open  outlook         person
        3660    1     chrome          person
    """),
    Scenario("a gateway follows each link a minute later, slowly at first", 4, """
        60.0    0     chrome          machine
        61.0    1     chrome          machine
        61.9    2     chrome          machine
        62.5    3     chrome          machine
    """),
    Scenario("a gateway renders the message: pixel and links", 6, """
        95.0    open  firefox         machine
        95.2    0     firefox         machine
        95.3    3     firefox         machine
        95.4    5     firefox         machine
        4000    open  thunderbird     person
    """),
    Scenario("both links of a message within two seconds", 2, """
        300.0   0     chrome          machine
        301.5   1     chrome          machine
    """),
    Scenario("both links of a message, one after the other was read", 2, """
        300     0     chrome          person
        345     1     chrome          person
    """),
    Scenario("the pixel and the only link within a second", 1, """
        120.0   open  chrome          machine
        120.8   0     chrome          machine
    """),
    Scenario("the pixel by a proxy, and the only link soon after", 1, """
        120.0   open  gmail           person
        120.9   0     chrome          person
        121.5   0     chrome          person
    """),
    Scenario("the only link some seconds after the pixel", 1, """
        120     open  thunderbird     person
        124     0     firefox         person
    """),
    Scenario("two of many links quickly, by somebody who opens tabs", 9, """
        700.0   4     firefox         person
        701.2   5     firefox         person
    """),
    Scenario("the same link twice by a double click", 9, """
        700.0   4     firefox         person
        700.2   4     firefox         person
    """),
    Scenario("three links in half a minute", 9, """
        700     4     firefox         person
        712     5     firefox         person
        726     6     firefox         person
    """),
    Scenario("libraries say what they are", 5, """
        3600    0     curl            machine
        3605    1     python          machine
        3610    open  go              machine
        3615    2     okhttp          machine
        3620    3     java            machine
        3625    0     headless        machine
        3630    open                  machine
        3635    0                     machine
        3640    1     apple prefetch  machine
    """),
    Scenario("who looks what is behind a link that somebody passes on", 5, """
        900     2     bingpreview     machine
        905     2     slackbot        machine
        950     2     firefox         person
    """),
    Scenario("a scanner that says its name", 5, """
        20      0     barracuda       machine
        25      1     barracuda       machine
    """),
    Scenario("a scanner from a network that is known", 5, """
        400     open  chrome SCANNER  machine
        420     3     chrome SCANNER  machine
    """),
    Scenario("HEAD first, then the page, by the same program", 5, """
        90.0    2     chrome HEAD     machine
        91.0    2     chrome          machine
        8000    2     firefox         person
    """),
    Scenario("three by HEAD, and one that is looked at", 5, """
        90.0    0     firefox HEAD    machine
        90.2    1     firefox HEAD    machine
        90.4    2     firefox HEAD    machine
        90.6    2     chrome          machine
    """),
    Scenario("hits within ten seconds of sending", 5, """
        1       0     chrome          machine
        9.9     open  outlook         machine
        10.0    open  outlook         person
    """),
    Scenario("somebody who was waiting for the message", 5, """
        8       open  thunderbird     person !
        14      0     firefox         person
    """),
    Scenario("a scanner that takes its time and calls itself a browser", 5, """
        12      0     chrome          machine !
        3000    open  thunderbird     person
    """),
    Scenario("a scanner that follows two links of many", 7, """
        200.0   0     chrome          machine !
        200.3   1     chrome          machine !
    """),
    Scenario("somebody who forwards the message to a friend", 5, """
        1000    open  thunderbird     person
        90000   open  gmail           person
        90030   3     iphone          person
    """),
    Scenario("nobody knows how many links there are", None, """
        200.0   0     chrome          person
        200.3   1     chrome          person
        900.0   5     chrome          machine
        900.3   6     chrome          machine
        900.6   7     chrome          machine
    """),
]  # fmt: skip
