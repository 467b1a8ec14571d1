"""Replies of real servers, and the outcome that each of them means (R15)."""

import pytest

from engine.delivery.outcomes import Deferred, Phase, Rejected, RelayRefusal, Sent, Untried
from engine.delivery.smtp import replies

M, R, D, A, C = Phase.MAIL, Phase.RCPT, Phase.DATA, Phase.ANSWER, Phase.CONNECT
TO = "ana.ruiz@example.com"

DEAD, REFUSED, LATER, SENT, UNTRIED = "dead address", "refused", "deferred", "sent", "untried"
# The relay refuses us; with the outcome if it takes other messages.
US_REFUSED, US_LATER, US_UNTRIED = ("us", REFUSED), ("us", LATER), ("us", UNTRIED)
Meaning = str | tuple[str, str]

# phase, code, words, status, meaning
REPLIES = [
    # Accepted.
    (A, 250, "2.0.0 Ok: queued as 4XyZ1k2Pqz", None, SENT),  # Postfix
    (A, 250, "2.0.0 OK  1732435200 5b1f17b1804b1-434aa1cd2b8si812345e9.51 - gsmtp", None, SENT),  # Gmail
    (A, 250, "OK id=1tF2xY-0007aB-3c", None, SENT),  # Exim
    (A, 250, "ok 1732435200 qp 12345", None, SENT),  # qmail
    (A, 250, "2.6.0 <x@y> [InternalId=123] Queued mail for delivery", None, SENT),  # Exchange
    (A, 250, "2.5.0 Message accepted for delivery", None, SENT),
    # The mailbox does not exist.
    (R, 550, "5.1.1 <ana.ruiz@example.com>: Recipient address rejected: User unknown", "5.1.1", DEAD),  # Postfix
    (
        R,
        550,
        "550-5.1.1 The email account that you tried to reach does not exist. Please try\n"
        "550-5.1.1 double-checking the recipient's email address for typos or\n"
        "550 5.1.1 unnecessary spaces. For more information, go to https://support.example/NoSuchUser - gsmtp",
        "5.1.1",
        DEAD,
    ),  # Gmail
    (R, 550, "5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address lookup", "5.1.10", DEAD),
    (R, 550, "5.1.1 RESOLVER.ADR.RecipNotFound; not found", "5.1.1", DEAD),  # Exchange
    (R, 550, "Requested action not taken: mailbox unavailable", None, DEAD),  # Hotmail
    (R, 550, "No such user here", None, DEAD),  # Exim, cPanel
    (R, 550, "Unrouteable address", None, DEAD),  # Exim
    (R, 550, "sorry, no mailbox here by that name (#5.1.1)", "5.1.1", DEAD),  # qmail
    (R, 553, "sorry, this recipient is not in my list (#5.1.1 - chkuser)", "5.1.1", DEAD),  # qmail with chkuser
    (R, 550, "#5.1.1 bad address ana.ruiz@example.com", "5.1.1", DEAD),  # IronPort
    (R, 511, "sorry, no mailbox here by that name (#5.1.1 - chkuser)", "5.1.1", DEAD),
    (R, 550, "5.7.1 <ana.ruiz@example.com>: Recipient address rejected: User unknown", "5.7.1", DEAD),
    (R, 551, "not our user", None, DEAD),
    (R, 553, "Invalid recipient ana.ruiz@example.com (Mode: normal)", None, DEAD),
    (R, 550, "5.1.6 recipient no longer on server: ana.ruiz@example.com", "5.1.6", DEAD),
    (R, 550, "5.1.2 <ana.ruiz@example.com>: Recipient address rejected: Domain not found", "5.1.2", DEAD),
    (R, 556, "5.1.10 recipient domain has a null MX", "5.1.10", DEAD),
    (R, 501, "5.1.3 Bad recipient address syntax", "5.1.3", DEAD),
    (R, 550, "5.2.1 <ana.ruiz@example.com>... User Unknown", "5.2.1", DEAD),  # sendmail
    (A, 550, "5.1.1 user unknown", "5.1.1", DEAD),  # LMTP and content gateways reply like this after the dot
    (A, 550, "5.1.1 <ana.ruiz@example.com> User doesn't exist: ana.ruiz@example.com", "5.1.1", DEAD),  # Dovecot LMTP
    # Refused because of the sender or the message: the address may exist.
    (
        R,
        550,
        "5.7.1 Service unavailable, Client host [192.0.2.9] blocked using Spamhaus",
        "5.7.1",
        US_REFUSED,
    ),  # Outlook
    (R, 554, "5.7.1 <mx.example.org[192.0.2.9]>: Client host rejected: Access denied", "5.7.1", US_REFUSED),  # Postfix
    (R, 550, "JunkMail rejected - mx.example.org [192.0.2.9] is in an RBL, see example.net", None, US_REFUSED),  # Exim
    (R, 550, "relay not permitted", None, US_LATER),  # Exim
    (R, 553, "sorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)", "5.7.1", US_LATER),  # qmail
    (R, 550, "5.7.54 SMTP; Unable to relay recipient in non-accepted domain", "5.7.54", US_LATER),  # Exchange
    (R, 550, "5.4.1 Recipient address rejected: Access denied. AS(201806281)", "5.4.1", REFUSED),  # Exchange Online
    (R, 550, "5.2.1 The email account that you tried to reach is disabled.", "5.2.1", REFUSED),  # Gmail
    (R, 550, "5.1.0 Address rejected.", "5.1.0", REFUSED),
    (R, 550, "Access denied - Invalid HELO name (See RFC2821 4.1.1.1)", None, US_REFUSED),
    (R, 550, "5.1.8 <x@y.example>: Sender address rejected: Domain not found", "5.1.8", US_REFUSED),
    (R, 550, "Sender verify failed: the sender address does not exist", None, US_REFUSED),  # Exim
    (R, 554, "delivery error: dd Not a valid recipient", None, REFUSED),
    (R, 521, "5.2.1 This system is configured to reject mail", "5.2.1", REFUSED),
    (R, 503, "5.5.1 Error: need MAIL command", "5.5.1", REFUSED),
    (M, 553, "5.1.8 <x@y.example>... Domain of sender address does not exist", "5.1.8", US_REFUSED),  # sendmail
    (M, 550, "5.1.0 sender rejected. AUP#In-1310", "5.1.0", US_REFUSED),
    (M, 501, "5.1.7 Invalid address", "5.1.7", US_REFUSED),  # Exchange
    (M, 552, "5.3.4 Message size exceeds fixed maximum message size", "5.3.4", REFUSED),
    (D, 554, "5.5.1 Error: no valid recipients", "5.5.1", REFUSED),
    (D, 554, "Transaction failed", None, REFUSED),
    (A, 552, "5.3.4 Message size exceeds file system imposed limit", "5.3.4", REFUSED),
    (A, 552, "5.7.0 This message was blocked because its content presents a potential", "5.7.0", REFUSED),  # Gmail
    (A, 550, "5.7.26 This mail has been blocked because the sender is unauthenticated.", "5.7.26", REFUSED),  # Gmail
    (A, 550, "5.7.509 Access denied, sending domain does not pass DMARC verification", "5.7.509", REFUSED),
    (
        A,
        554,
        "5.7.9 Message not accepted for policy reasons. See https://postmaster.example",
        "5.7.9",
        REFUSED,
    ),  # Yahoo
    (A, 554, "5.7.1 Spam message rejected; if this is not spam contact abuse", "5.7.1", REFUSED),
    (A, 550, "This message was classified as SPAM and may not be delivered", None, REFUSED),
    (A, 554, "5.6.0 Lone CR or LF in body", "5.6.0", REFUSED),
    (A, 554, "delivery error: dd This user doesn't have a yahoo.example account", None, REFUSED),  # Yahoo
    (A, 550, "Administrative prohibition", None, REFUSED),  # Exim
    (A, 554, "5.4.6 Too many hops", "5.4.6", REFUSED),
    # Codes of permanent refusals without a status: no evidence about the mailbox.
    (R, 550, "bad HELO", None, US_REFUSED),
    (R, 550, "IP listed at list.example", None, US_REFUSED),
    (R, 550, "Policy of our site: go away", None, REFUSED),
    (R, 550, "Mail refused because of abuse", None, REFUSED),
    (R, 550, "No", None, REFUSED),
    (R, 553, "Not today", None, REFUSED),
    (R, 550, "Servers with dynamic IP are not welcome", None, US_REFUSED),
    (R, 550, "Rechazado: la direccion IP 192.0.2.9 figura en una lista negra", None, US_REFUSED),
    (R, 550, "TLS encryption is required", None, US_LATER),
    (R, 550, "mailbox unavailable, rejected due to policy restrictions", None, REFUSED),
    (R, 550, "user unknown to us, as your server 192.0.2.9 is blocked", None, US_REFUSED),
    (R, 550, "Grey-listed, try again in 300 seconds", None, LATER),
    (R, 554, "The system is temporarily overloaded, try later", None, LATER),
    (R, 550, "5.7.1 Greylisting in action, please come back later", "5.7.1", LATER),
    # The relay refuses us, for any recipient.
    (R, 550, "relay not permitted, authenticate first", None, US_LATER),  # Exim
    (R, 554, "5.7.1 <ana.ruiz@example.com>: Relay access denied", "5.7.1", US_LATER),  # Postfix
    (R, 454, "4.7.1 <ana.ruiz@example.com>: Relay access denied", "4.7.1", US_LATER),  # Postfix since 2.10
    (R, 550, "5.7.1 Unable to relay for ana.ruiz@example.com", "5.7.1", US_LATER),  # IIS
    (R, 550, "5.7.1 <ana.ruiz@example.com>... Relaying denied. Proper authentication required.", "5.7.1", US_LATER),
    (R, 550, "5.7.64 TenantAttribution; Relay Access Denied", "5.7.64", US_LATER),  # Exchange Online
    (R, 553, "5.7.1 <x@y.example>: Sender address rejected: not logged in", "5.7.1", US_REFUSED),  # Postfix
    (R, 450, "4.7.1 Client host rejected: cannot find your hostname, [192.0.2.9]", "4.7.1", US_LATER),  # Postfix
    (R, 504, "5.5.2 <bulk>: Helo command rejected: need fully-qualified hostname", "5.5.2", US_REFUSED),  # Postfix
    (R, 550, "5.7.25 The sending IP address does not have a PTR record set up", "5.7.25", US_REFUSED),
    (D, 554, "5.7.1 Relaying denied", "5.7.1", US_LATER),
    (M, 450, "4.7.1 Error: too much mail from 192.0.2.9", "4.7.1", US_UNTRIED),  # Postfix
    (M, 451, "too many messages, slow down", None, US_UNTRIED),
    (M, 550, "relay not permitted", None, US_LATER),
    (M, 554, "5.7.1 Access denied", "5.7.1", US_REFUSED),
    # Refused because of the recipient's own rules: not about us.
    (R, 550, "5.7.1 RESOLVER.RST.AuthRequired; authentication required", "5.7.1", REFUSED),  # Exchange
    (R, 550, "5.7.133 RESOLVER.RST.SenderNotAuthenticatedForGroup; sender not authenticated", "5.7.133", REFUSED),
    (R, 554, "5.7.1 <ana.ruiz@example.com>: Recipient address rejected: Access denied", "5.7.1", REFUSED),  # Postfix
    (R, 550, "5.7.1 Message refused by the policy of the recipient", "5.7.1", REFUSED),
    (R, 550, "5.1.1 <ana.ruiz@example.com>: no relay to this user", "5.1.1", DEAD),
    # A full mailbox may have room later, so even a permanent code means deferred.
    (R, 552, "5.2.2 <ana.ruiz@example.com>: Mailbox is full", "5.2.2", LATER),
    (R, 550, "5.2.2 STOREDRV.Deliver; mailbox full", "5.2.2", LATER),
    (R, 552, "RCPT TO:<ana.ruiz@example.com> Mailbox disk quota exceeded", None, LATER),
    (A, 552, "5.2.2 The email account that you tried to reach is over quota", "5.2.2", LATER),
    (A, 550, "Quota exceeded (mailbox for user is full)", None, LATER),
    (A, 552, "Requested mail action aborted: exceeded storage allocation", None, LATER),  # the words of RFC 5321
    (R, 452, "4.2.2 The email account that you tried to reach is over quota.", "4.2.2", LATER),  # Gmail
    # Deferred: a later attempt may succeed.
    (R, 450, "4.2.0 <ana.ruiz@example.com>: Recipient address rejected: Greylisted", "4.2.0", LATER),  # Postgrey
    (R, 451, "Temporary local problem - please try later", None, LATER),  # Exim
    (R, 451, "4.7.1 Greylisting in action, please come back in 00:05:00", "4.7.1", LATER),
    (R, 450, "4.1.1 <ana.ruiz@example.com>: unverified address: connection refused", "4.1.1", LATER),
    (R, 421, "4.7.28 Our system has detected an unusual rate of unsolicited mail", "4.7.28", LATER),  # Gmail
    (R, 450, "4.2.1 The user you are trying to contact is receiving mail too quickly", "4.2.1", LATER),  # Gmail
    (R, 451, "4.7.500 Server busy. Please try again later from [192.0.2.9].", "4.7.500", LATER),  # Outlook
    (R, 451, "4.4.3 Temporary server error. Please try again later ATTR5", "4.4.3", LATER),  # Exchange Online
    (R, 452, "4.5.3 Too many recipients", "4.5.3", LATER),
    (R, 450, "5.1.1 User unknown in local recipient table", "5.1.1", LATER),  # the code decides, not the status
    (D, 451, "4.3.0 Error: queue file write error", "4.3.0", LATER),  # Postfix
    (D, 421, "4.3.2 Service shutting down", "4.3.2", LATER),
    (A, 451, "4.3.5 Server configuration problem", "4.3.5", LATER),
    (A, 421, "4.7.0 [TSS04] Messages from 192.0.2.9 temporarily deferred", "4.7.0", LATER),  # Yahoo
    (A, 452, "4.3.1 Insufficient system storage", "4.3.1", LATER),
    (A, 421, "4.4.2 mx.example.com Error: timeout exceeded", "4.4.2", LATER),
    (M, 451, "4.7.0 Temporary server error. Please try again later. PRX5", "4.7.0", US_UNTRIED),  # Exchange
    (M, 452, "4.3.1 Insufficient system resources (UsedDiskSpace)", "4.3.1", US_LATER),  # Exchange
    # About the connection, never about a recipient.
    (M, 421, "4.7.0 Try again later, closing connection.", None, UNTRIED),
    (M, 530, "5.7.0 Must issue a STARTTLS command first", None, UNTRIED),
    (M, 530, "5.7.57 Client not authenticated to send mail.", None, UNTRIED),  # Exchange Online
    (R, 530, "5.7.1 Authentication required", None, UNTRIED),
    (C, 554, "5.7.1 No SMTP service here", None, UNTRIED),
    (C, 535, "5.7.8 Username and Password not accepted", None, UNTRIED),  # Gmail
    (C, 421, "4.3.2 too many connections", None, UNTRIED),
    (C, 454, "4.7.0 TLS not available due to local problem", None, UNTRIED),
]


def meaning(outcome: Sent | Deferred | Rejected | Untried | RelayRefusal) -> Meaning:
    match outcome:
        case RelayRefusal(otherwise=otherwise):
            return "us", str(meaning(otherwise))
        case Sent():
            return SENT
        case Deferred():
            return LATER
        case Rejected(dead_address=dead):
            return DEAD if dead else REFUSED
        case Untried():
            return UNTRIED


@pytest.mark.parametrize(("phase", "code", "words", "status", "expected"), REPLIES)
def test_classify_agrees_with_the_table_of_real_replies(
    phase: Phase, code: int, words: str, status: str | None, expected: Meaning
) -> None:
    outcome = replies.classify(phase, code, words, recipient=TO, at_ms=7)
    assert meaning(outcome) == expected
    if isinstance(outcome, Deferred | Rejected):
        assert (outcome.phase, outcome.code, outcome.status, outcome.at_ms) == (phase, code, status, 7)
    assert "@" not in outcome.response
    assert "ana.ruiz" not in outcome.response


def test_the_table_has_enough_replies() -> None:
    assert len(REPLIES) >= 60


@pytest.mark.parametrize(("phase", "code"), [(R, 250), (D, 354), (A, 354), (M, 220), (A, 600), (R, 199)])
def test_classify_refuses_a_code_that_decides_nothing(phase: Phase, code: int) -> None:
    with pytest.raises(ValueError, match="decides nothing"):
        replies.classify(phase, code, "whatever")


def test_a_code_in_front_makes_no_difference() -> None:
    bare = replies.classify(R, 550, "5.1.1 no such user")
    assert replies.classify(R, 550, "550 5.1.1 no such user") == bare
    assert replies.classify(R, 550, "550-5.1.1 no\n550 5.1.1 such user") == bare


@pytest.mark.parametrize(
    ("words", "recipient", "expected"),
    [
        ("<ana@x.example>: gone", "ana@x.example", "<[address]>: gone"),
        ("<ANA@X.EXAMPLE>: gone", "ana@x.example", "<[address]>: gone"),
        ("other.person+tag@sub.y.example too", "ana@x.example", "[address] too"),
        ("unknown user ana", "ana@x.example", "unknown user [address]"),
        ("banana split", "ana@x.example", "banana split"),
        ("no user info", "", "no user info"),
        ("to=<ana@peña.example>;ok", "", "to=<[address]>;ok"),
        ("a\r\nb\x00c\x1b[31m\u2028d", "", "a b c [31m d"),
        ("x" * 900, "", "x" * 500),
        ('"ana ruiz"@x.example no', '"ana ruiz"@x.example', "[address] no"),
    ],
)
def test_redacted_text_contains_no_address(words: str, recipient: str, expected: str) -> None:
    assert replies.redact(words, recipient) == expected
