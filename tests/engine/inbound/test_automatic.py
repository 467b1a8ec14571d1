"""Automatic replies are recognised by their headers, in any spelling."""

from email import policy
from email.message import Message
from email.parser import BytesHeaderParser

import pytest

from engine.inbound import automatic


def answer(header: str) -> Message:
    """Return a reply with this header, and an ordinary subject unless it is the subject."""
    lines = [header] if header.startswith("Subject") else ["Subject: Re: ROI", header]
    return BytesHeaderParser(policy=policy.compat32).parsebytes("\r\n".join([*lines, "", "Hola"]).encode())


@pytest.mark.parametrize(
    "header",
    [
        "Auto-Submitted: auto-replied",
        "Auto-Submitted: auto-generated (vacation)",
        "auto-submitted: Auto-Replied; owner-email=x",
        "X-Autoreply: yes",
        "X-Autorespond: vacation",
        "X-FC-MachineGenerated: true",
        "X-MS-Exchange-Inbox-Rules-Loop: ana@empresa.example",
        "From: MAILER-DAEMON@mx.empresa.example",
        "Precedence: auto_reply",
        "Precedence: Bulk",
        "Precedence: junk",
        "Return-Path: <>",
        "Subject: Automatic reply: ROI",
        "Subject: Out of Office: ROI",
        "Subject: Respuesta automática: ROI",
        "Subject: =?utf-8?q?Respuesta_autom=C3=A1tica=3A_ROI?=",
        "Subject: =?iso-8859-1?B?UmVzcHVlc3RhIGF1dG9t4XRpY2E6IFJPSQ==?=",
        "Subject: Fuera de la oficina",
        "Subject: Abwesenheitsnotiz: ROI",
        "Subject: Réponse automatique : ROI",
        "Subject: Autorespuesta: ROI",
        "Subject: Ausente: ROI",
        "Subject: Ausencia",
        "Subject: Automatisch antwoord: ROI",
        "Subject: Afwezig: ROI",
        "Subject: Automatic reply from Ana",
        "Subject: Out of Office AutoReply: ROI",
        "Subject: De vacaciones",
        "Subject: Vacation",
    ],
)
def test_is_automatic_if_a_header_says_so(header: str) -> None:
    assert automatic.is_automatic(answer(header))


@pytest.mark.parametrize(
    "header",
    [
        "Auto-Submitted: no",
        "Auto-Submitted: No (by hand)",
        "Precedence: first-class",
        "Precedence: list",
        "Return-Path: <ana.prieto@empresa.example>",
        "Subject: Re: Respuesta automática: ROI",
        "Subject: RE: your vacation offer",
        "Subject: Vacation rentals in Mallorca",
        "Subject: Re: De vacaciones hasta el lunes, hablamos luego",
        "Subject: Out of office furniture",
        "Subject: Ausente el lunes, llámame el martes",
        "Subject: Automatic reply rates of our campaigns",
        "X-Auto-Response-Suppress: DR, RN, NRN, OOF, AutoReply",
        "X-Autoreply: no",
        "X-Autorespond:",
        "Precedence: bulk\r\nList-Id: <ventas.empresa.example>",
        "Subject: =?no-such-charset?q?hola?=",
        "Subject: =?utf-8?b?%%%?=",
        "Subject: =?idna?q?=FF=FE?=",
        "Subject: =?base64?q?hola?=",
        "Subject:",
    ],
)
def test_is_not_automatic_if_a_person_may_have_written(header: str) -> None:
    assert not automatic.is_automatic(answer(header))
