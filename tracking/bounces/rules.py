"""What servers say when they do not take a message, in the order in which it counts.

Codes are those of RFC 3463 and its registry (RFC 5248), RFC 7372, RFC 7505, and those that Gmail
and Outlook have added. Phrases are searched for in lower case, in a text without addresses.
"""

import re
from dataclasses import dataclass

from tracking.models import Category


@dataclass(frozen=True, slots=True)
class Rule:
    category: Category
    codes: frozenset[str]
    phrases: re.Pattern[str]

    def matches(self, code: str, words: str) -> bool:
        return code in self.codes or bool(self.phrases.search(words))


def _rule(category: Category, codes: str, *phrases: str) -> Rule:
    """Return a rule; a code stands without its class where 4 and 5 mean the same."""
    each = codes.split()
    both = {f"{kind}.{code}" for code in each for kind in "45" if code.count(".") == 1}
    whole = {code for code in each if code.count(".") == 2}
    return Rule(category, frozenset(both | whole), re.compile("|".join(phrases) or "(?!)"))


_WHO = r"(?:user|recipient|mailbox|account|address|addressee|e-?mail|inbox|alias)"
_NAMED = rf"\b{_WHO}(?:name|\(s\)|es|s)?\b"

AUTH = _rule(
    Category.AUTH,
    "7.20 7.21 7.22 7.23 7.24 7.25 7.26 7.27 7.29 7.30 7.31 7.32 7.40 7.509 7.515",
    r"\bspf\b|\bdkim\b(?!-sign)|\bdmarc\b|sender policy framework|domainkeys|\bsender ?id\b",
    r"reverse (?:dns|host|lookup|address)|\bptr\b|\brdns\b|ip name lookup failed|fix your dns",
    r"cannot find your (?:reverse )?host ?name|no host ?name for",
    r"authentication information|unauthenticated|not authenticated|authentication checks?",
    r"(?:requires?|must (?:issue|use)|need) (?:a )?(?:starttls|tls)|tls (?:is )?required",
)

LOOP = _rule(
    Category.LOOP,
    "4.6 4.14",
    r"too many hops|hop count|mail (?:is )?loop|loops? back|loop (?:was )?detected|routing loop",
)

# The server's disk, not the recipient's share of it.
SERVER_FULL = _rule(
    Category.TRANSIENT,
    "3.1",
    r"insufficient (?:system|disk) (?:storage|space|resources)|no space left|\bdisk (?:is )?full",
)

FULL = _rule(
    Category.MAILBOX_FULL,
    "2.2",
    r"(?<!sending )(?<!message )(?<!daily )(?<!hourly )(?<!relay )\bquota\b(?! (?:of|for) )",
    r"\bover ?quota|quota ?exce|box (?:is |for \w+ is )?(?:\w+ )?full\b|box.{0,30}\bexceed",
    r"\b(?:full|overfull) (?:mail|in)box|\buser is full|out of storage|storage (?:is )?full",
    r"exceed\w* (?:[^\s.]{1,30} ){0,3}(?:storage|mailbox|space|disk)\b|exceeded the local limit",
    r"mailbox (?:size|limit)|(?:not enough|insufficient) (?:mailbox )?(?:storage|space)",
    r"(?:storage|space) (?:limit|allocation)|no (?:more )?(?:room|space) (?:in|for)\b",
    r"too many messages (?:in|on) (?:this|the|your|mail)",
    r"postfach (?:ist )?voll|speicherplatz|bo[iî]te (?:aux lettres )?pleine|buz[oó]n lleno",
    r"casella (?:[èe] )?piena|caixa (?:postal )?cheia|переполнен|квота превышена",
    r"容量.{0,10}(?:超|オーバー)|いっぱい|メールボックスの容量|邮箱已满|邮箱空间",
)

TOO_LARGE = _rule(
    Category.TOO_LARGE,
    "3.4 2.3",
    r"\b(?:message|mail|size|data|body)\b.{0,30}\btoo (?:large|big)\b|\btoo (?:large|big) m",
    r"\b(?:message|mail|size|length)\b.{0,40}\bexceed\w*.{0,40}\b(?:size|limit|length|maximum)",
    r"exceed\w* (?:[^\s.]{1,30} ){0,4}(?:message |file )size|larger than (?:the|\d)|size ?limit",
    r"nachricht (?:ist )?zu gro(?:ß|ss)|trop volumineux|demasiado grande|слишком больш",
)

RATE = _rule(
    Category.RATE,
    "7.28 7.650 5.3 4.5 5.7.705 4.7.500 4.3.2",
    r"rate.?limit|limit(?:ed|ing)? rate|throttl|\bflood|frequency|\bts[sr]?\d\d\b|unusual rate",
    r"(?:daily|hourly|relay|sending|message) quota|too many (?!hops|errors)|slow down|at a rate",
    r"too (?:fast|frequent|quickly|much mail)|unexpected volume|concurren(?:t|cy)",
    r"(?:hourly|daily|per hour|per day|sending|message|connection)s? (?:rate |max )?limit",
    r"exceeded (?:[^\s.]{1,30} ){0,4}(?:rate|limit|connections|recipients)",
    r"maximum (?:number of )?connections",
)

_OFF = (
    r"(?:disabled|suspended|inactive|deactivated|frozen|locked|closed|expired|dormant|discontinued)"
)

DISABLED = _rule(
    Category.DISABLED,
    "2.1 7.13",
    rf"{_NAMED} (?:[^\s.]{{1,40}} ){{0,3}}(?:{_OFF}|on hold|not active)\b|{_OFF} {_WHO}\b",
    r"\b(?:recipient|user)(?:'s)? account (?:is |has been )?blocked",
    r"not (?:currently )?accepting (?:messages|mail)",
    r"\b(?:compte|konto|cuenta|conto)\b.{0,30}(?:bloqu|gesperrt|deaktiviert|sospes|desactiv)",
    r"заблокирован|отключ[её]н|неактив|停用|禁用|利用停止",
)

GREYLISTED = _rule(Category.TRANSIENT, "", r"gr[ea]y-?list|\bnew triplet|first time sender")

CONTENT = _rule(
    Category.POLICY_CONTENT,
    "6.0 6.1 6.2 6.3 6.4 6.5 6.6 6.7 6.8 6.9",
    r"\b(?:spam|spammy|spamming|junk|ube|uce)\b|spam(?:signature|assassin| ?score)|anti-?spam",
    r"virus|malware|phish|infected|trojan|unsolicited|suspicious|advertis|scored as",
    r"content (?:reject|filter|block|den|polic|error|viol)|\b(?:its|message|due to|of) content",
    r"\bcontent\b.{0,20}\b(?:reject|presents|not allowed)|attachment|file type|executable",
    r"duplicate header|multiple (?:\w+ )?(?:headers|addresses in)|bare (?:lf|cr|linefeed)",
    r"\brfc[- ]?(?:[25]?[38]22|2045)|not rfc|8-?bit data|media error|message format",
)

# Outlook's answer for who is not there, where its directory is asked at the edge.
NOT_IN_DIRECTORY = _rule(
    Category.INVALID_ADDRESS, "", r"5\.4\.1 .{0,20}recipient address rejected: access denied"
)

# 1.7 and 1.8 are about the sender's address.
REPUTATION = _rule(
    Category.POLICY_REPUTATION,
    "1.7 1.8 7.2 7.3 7.7 7.606",
    r"(?:black|block|deny)[ -]?list|\bblock(?:ed|ing|iert)?\b|banned|reputation",
    r"\b(?:rbl|dnsbl|bl)\b|spamhaus|spamcop|barracuda|sorbs|proofpoint|cloudmark|sender(?:base|score)|surbl",
    r"access (?:is )?denied|denied access|unauthori[sz]ed|prohibit|forbidden|permission|restricted",
    r"\bnot (?:be )?(?:allowed|permitted|authori[sz]ed|wanted|verified)|privileges|security",
    r"\bpolic(?:y|ies)\b|\bpolit(?:ique|ica)\b|richtlinie|preferences|complain|violation",
    r"relay(?:ing)?\b.{0,30}\b(?:denied|not|prohibit|reject|disallow)|\bto relay\b",
    r"\bsender\b.{0,40}\b(?:reject|denied|refus|verif|invalid|not exist|unknown|block|listed)",
    r"\b(?:unrout\w+|invalid|bad|unknown) sender|domain of sender|\bfrom: domain|client host",
    r"\b(?:your|sending) (?:domain|address|ip|host|network|server)\b|dynamic ip|\blisted (?:at|by)",
    r"(?:invalid|bad|reject\w*) (?:helo|ehlo)|\b(?:helo|ehlo) (?:command|name|host|arg|reject)",
    r"service refus|refused? due|bloqu[ée]|procmail|filter(?:ed|ing)?\b|rejected by .{0,20}\brule",
    r"(?:local|administrative) (?:rule|polic)|権限|拒否|拒绝",
)

DOMAIN = _rule(
    Category.INVALID_DOMAIN,
    "1.2 4.4 4.310",
    r"\b(?:host|domain|hostname)(?: name)?\b.{0,60}\b(?:unknown|not (?:be )?found|invalid)\b",
    r"\b(?:host|domain|hostname)(?: name)?\b.{0,60}(?:not|n't) (?:exist|resolve|reachable)",
    r"\b(?:unknown|no such|invalid|illegal|bad|non-?existent) (?:mail )?(?:host|domain)",
    r"\bnxdomain\b|\bno (?:a|mx)\b|no valid (?:mx|host)|\bmx .{0,20}not found|null ?mx",
    r"(?:not|n't|never) accept (?:any )?(?:e-?mail|mail)\b|no smtp service|unknown destination",
    r"dns (?:lookup )?(?:failure|fail)",
    r"\bdomain .{0,30}(?:existiert nicht|inconnu|no existe)|ドメイン.{0,20}(?:存在|見つか)",
)

ADDRESS = _rule(
    Category.INVALID_ADDRESS,
    "1.0 1.1 1.3 1.4 1.6 1.10 1.351",
    rf"{_NAMED}.{{0,80}}\b(?:unknown|not (?:be )?(?:known|found|exist\w*|valid|our)|invalid)\b",
    rf"{_NAMED}.{{0,80}}\b(?:not|n't) (?:a valid|listed|registered|recogni[sz]ed)\b",
    rf"{_NAMED}.{{0,80}}\b(?:no longer|undeliverable|nonexistent|unroutable)\b",
    rf"{_NAMED}.{{0,40}}n't (?:exist|found|be found|have)\b|\buser ?unknown|\bunknown ?user",
    rf"\b(?:unknown|no such|no|bad|undefined|incorrect|illegal|wrong) (?:\w+ )?{_WHO}\b",
    rf"\b(?:invalid|non-?exist(?:ent|ing)|undeliverable|unroute?able) (?:\w+ )?{_WHO}\b",
    r"\b(?:does not|doesn't|do not|did not|don't|not) exist\b|n't have an? .{0,40}account",
    r"no valid recipient|no recipients|unknown (?:or illegal alias|local|in)|\bno account by",
    r"\bno such (?:person|local|name|id)|mailbox (?:is )?unavailable|not our (?:customer|user)",
    r"isn't (?:a valid|here|listed)|is not a (?:\w+ )?(?:registered|valid|known|member|local|user)",
    r"recipnotfound|adr\.recip|not listed in (?:the )?(?:domino|public|directory)",
    r"\bno longer (?:on|at|with|in|valid|available|works|active|exists)|\bhas (?:moved|left)\b",
    r"(?:empf[äa]nger|adresse|benutzer|postfach)\b.{0,60}(?:nicht (?:gefunden|bekannt|vorhanden))",
    r"(?:empf[äa]nger|adresse|benutzer|postfach)\b.{0,60}(?:existiert nicht|unbekannt|ung[üu]ltig)",
    r"kein (?:solches )?postfach|unbekannter (?:empf|benutzer)",
    r"(?:adresse|destinataire|utilisateur|bo[iî]te)\b.{0,60}(?:n'existe|inconnu|inval|introuv)",
    r"(?:destinatario|usuario|direcci[óo]n|cuenta)\b.{0,60}(?:no existe|desconocid|no v[áa]lid)",
    r"(?:destinatario|utente|indirizzo|casella)\b.{0,60}(?:inesistente|sconosciut|non esist)",
    r"(?:usu[áa]rio|endere[çc]o|conta)\b.{0,60}(?:n[ãa]o (?:existe|encontrad)|inv[áa]lid)",
    r"(?:пользовател|адрес|ящик|получател).{0,60}(?:не найден|не существует|неизвест|недейств)",
    r"нет такого|(?:ユーザ|アドレス|宛先|あて先).{0,40}(?:存在し|見つか|不明|間違|ありません)",
    r"(?:用户|收件人|邮箱|地址).{0,20}(?:不存在|未找到|无效)",
    r"bestaat niet|onbekende|finns inte|findes ikke|nie istnieje|neexistuje|bulunamad",
)

EXPIRED = _rule(
    Category.EXPIRED,
    "4.7",
    r"\bexpired\b|\bgiv(?:e|ing|en) up|gave up|\bretry time\b|retry ?time ?out|too long",
    r"\bin (?:the )?queue (?:for )?(?:more|longer)|\d+ attempts|maximum (?:retr|queue|time)",
    r"\b(?:within|after|for|past|during) (?:the )?(?:last )?\d+ ?(?:minute|hour|day|retr|attempt)",
    r"(?:after|for) (?:several|many|multiple|repeated) (?:\w+ )?(?:hour|day|retr|attempt|tries)",
    r"delivery (?:time|timed) ?(?:expired|out)|queue ?timeout|wurde aufgegeben|истек",
)

LATER = r"try (?:again|later)|temporar|\btimed?[ -]?out|timeout"
PASSING = _rule(
    Category.TRANSIENT,
    "",
    LATER,
    r"connection (?:refused|reset|lost|dropped|closed|was)|lost connection|no route|busy",
    r"unreachable|\bnot available|unavailable|retry",
    r"not connect|unable to connect|did not accept|refused to talk|shutting down|network error",
    r"name ?server|lookup fail|name service|overload|resources|(?:system|mailer|internal) error",
    r"internal \w+ error|später (?:noch einmal|erneut)|plus tard|m[áa]s tarde|попробуйте",
)

# Words that say that it was refused, and not why.
ADDRESS_REFUSED = _rule(Category.INVALID_ADDRESS, "", rf"\b{_WHO} (?:was )?rejected")
REFUSED = _rule(
    Category.POLICY_REPUTATION, "", r"\breject|\brefus|not accept(?:ed|able)|abgelehnt|rifiutat"
)

RULES = (
    AUTH,
    LOOP,
    SERVER_FULL,
    FULL,
    TOO_LARGE,
    RATE,
    DISABLED,
    GREYLISTED,
    CONTENT,
    NOT_IN_DIRECTORY,
    REPUTATION,
    DOMAIN,
    ADDRESS,
    EXPIRED,
    PASSING,
    ADDRESS_REFUSED,
    REFUSED,
)
