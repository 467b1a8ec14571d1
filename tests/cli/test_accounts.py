"""Accounts, and their tokens, which the API accepts."""

from engine.access import accounts
from models.session import transaction
from tests.cli.conftest import Run
from tests.web import applications
from tests.web.examples import send

PASSWORD = "a password of the tests"


def check(password: str) -> accounts.Profile:
    with transaction() as session:
        account = accounts.find(session, "tienda")
    return accounts.check(account, password)[0]


def test_an_account_can_log_in_once_it_is_created(run: Run) -> None:
    scopes = ("--scope", "send", "--scope", "reports")
    created = run("accounts", "create", "tienda", *scopes, "--password-stdin", text=PASSWORD)
    assert created.stdout == "account tienda created, scopes: reports, send\n"
    assert check(PASSWORD).scopes == {"reports", "send"}


def test_create_prompts_twice_without_showing_the_password(run: Run) -> None:
    prompted = run("accounts", "create", "tienda", text=f"{PASSWORD}\n{PASSWORD}\n")
    assert PASSWORD not in prompted.output
    assert check(PASSWORD).name == "tienda"


def test_create_is_refused_in_one_plain_line_when_something_is_wrong(run: Run) -> None:
    run("accounts", "create", "tienda", "--password-stdin", text=PASSWORD)
    for words, typed, message in (
        (("accounts", "create", "tienda", "--password-stdin"), PASSWORD, "name: another account has this name"),
        (("accounts", "create", "otra", "--password-stdin"), "short", "password: give 12 to"),
        (("accounts", "create", "", "--password-stdin"), PASSWORD, "name: give 1 to 100"),
        (("accounts", "disable", "nobody"), "", "account: 'nobody' is not known; there are tienda"),
        (("tokens", "create", "nobody"), "", "account: 'nobody' is not known; there are tienda"),
    ):
        refused = run(*words, text=typed, status=1)
        assert refused.stderr.startswith(f"Error: {message}") and refused.output.count("\n") == 1
    run("accounts", "create", "x", "--scope", "everything", status=2)


def test_only_the_token_is_printed_and_it_works_until_the_account_is_disabled(run: Run) -> None:
    app = applications.create()
    run("accounts", "create", "tienda", "--password-stdin", text=PASSWORD)
    printed = run("tokens", "create", "tienda", "--hours", "1").stdout
    assert printed.count(".") == 2 and printed.count("\n") == 1
    header = {"Authorization": f"Bearer {printed.strip()}"}
    assert app.test_client().post("/api/v1/emails/send", json=send(), headers=header).status_code == 202
    run("accounts", "disable", "tienda")
    assert app.test_client().post("/api/v1/auth/revoke", headers=header).status_code in (200, 401)
    run("tokens", "create", "tienda", status=1)
    assert "disabled" in run("accounts", "list").stdout


def test_a_new_password_replaces_the_old_one(run: Run) -> None:
    client = applications.create().test_client()
    run("accounts", "create", "tienda", "--password-stdin", text=PASSWORD)
    run("accounts", "password", "tienda", "--password-stdin", text="another one of the tests\n")
    log_in = "/api/v1/auth/token"
    assert client.post(log_in, json={"account": "tienda", "password": PASSWORD}).status_code == 401
    new = {"account": "tienda", "password": "another one of the tests"}
    assert client.post(log_in, json=new).status_code == 200


def test_scopes_sessions_and_time_zone_are_changed_and_an_account_is_opened_again(run: Run) -> None:
    run("accounts", "create", "tienda", "--password-stdin", text=PASSWORD)
    changed = run("accounts", "scopes", "tienda", "--scope", "reports", "--scope", "contacts")
    assert changed.stdout == "account tienda has the scopes contacts, reports\n"
    assert "Madrid" in run("accounts", "timezone", "tienda", "europe/madrid").stdout
    account = check(PASSWORD)
    assert account.scopes == {"contacts", "reports"} and account.timezone == "Europe/Madrid"
    assert "did you mean Europe/Madrid?" in run("accounts", "timezone", "tienda", "Madrid", status=1).stderr
    assert run("accounts", "timezone", "tienda").stdout == "account tienda sees moments in UTC\n"
    run("accounts", "disable", "tienda")
    assert run("accounts", "reopen", "tienda").stdout == "account tienda is open\n"
    run("accounts", "end-sessions", "tienda")
    assert check(PASSWORD).generation == 2
