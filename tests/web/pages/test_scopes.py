"""Every form of the pages is refused without its permission and without its session's value, and changes nothing."""

import re
from itertools import cycle
from uuid import UUID, uuid4

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text
from werkzeug.routing import Rule

from models import Base
from models.session import transaction
from tests import sends, sequence
from tests.web.pages import visitors
from web.http import auth

FORGED = {"decision": "sent", "all": "1", "scopes": "admin", "name": "x", "reason": "x", "password": "a long password",
          "is_admin": "1", "state": "running", "address": "a@b.example", "starts_now": "y"}  # fmt: skip


def _forms(app: Flask) -> list[tuple[Rule, tuple[str, ...]]]:
    """Return each route by which a page changes state, with the scopes of which one is needed."""
    rules = [
        rule for rule in app.url_map.iter_rules() if rule.rule.startswith("/app") and "POST" in (rule.methods or ())
    ]
    accesses = [(rule, auth.access_of(app.view_functions[rule.endpoint])) for rule in rules]
    return [(rule, access.scopes) for rule, access in accesses if access and not access.public]


def _things() -> list[UUID]:
    """Return the ids of a campaign, contacts and e-mails, of which a path may be."""
    with transaction() as session:
        contacts = sequence.people(session, 1)
        campaign_id = sequence.create(session)
        emails = sends.queue(session, 1)
        session.execute(text("UPDATE emails SET status = 'in_doubt'"))
    return [campaign_id, contacts[0], emails[0], uuid4()]


def _content() -> str:
    """Return a digest of all tables."""
    tables = sorted(table.name for table in Base.metadata.sorted_tables)
    with transaction() as session:
        return " ".join(
            str(session.scalar(text(f"SELECT md5(string_agg(t::text, '|' ORDER BY t::text)) FROM {name} t")))
            for name in tables
        )


def _path(rule: Rule, thing: UUID) -> str:
    return re.sub(r"<(?:int:)?\w+>", "1", re.sub(r"<uuid:\w+>", str(thing), rule.rule))


def test_a_form_without_its_permission_is_refused_and_changes_nothing(app: Flask) -> None:
    things = _things()
    people, tokens = {}, {}
    for scope in ("send", "campaigns", "contacts", "reports", "templates"):
        people[scope] = app.test_client()
        page = visitors.visit(people[scope], scope, scope, path="/app/account")
        tokens[scope] = visitors.token(page)
    guarded = [(rule, scopes) for rule, scopes in _forms(app) if scopes]
    before = _content()
    assert len(guarded) > 10
    refused = [(rule, scope) for rule, scopes in guarded for scope in sorted(people.keys() - set(scopes))]
    for (rule, scope), thing in zip(refused, cycle(things), strict=False):
        data = FORGED | {"csrf_token": tokens[scope]}
        assert people[scope].post(_path(rule, thing), data=data).status_code == 403, (rule.rule, scope)
    assert _content() == before


def test_only_an_administrator_reaches_what_needs_one(app: Flask, client: FlaskClient) -> None:
    """Every other permission together is not enough."""
    things = _things()
    page = visitors.visit(client, "all", "send", "send:transactional", "campaigns", "contacts", "templates", "reports")
    before = _content()
    for rule in (rule for rule, scopes in _forms(app) if scopes == ("admin",)):
        for thing in things:
            answer = client.post(_path(rule, thing), data=FORGED | {"csrf_token": visitors.token(page)})
            assert answer.status_code == 403, rule.rule
    assert _content() == before


def test_a_form_without_the_sessions_value_is_refused_and_changes_nothing(app: Flask, client: FlaskClient) -> None:
    things = _things()
    visitors.visit(client, "ana", "admin")
    before = _content()
    for rule, _ in _forms(app):
        for forged in ({}, {"csrf_token": "x"}):
            answer = client.post(_path(rule, things[0]), data=FORGED | forged)
            assert answer.status_code == 403, rule.rule
    assert _content() == before
