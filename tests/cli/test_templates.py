"""The templates, from the command line."""

from pathlib import Path

from engine.audience import contacts
from engine.audience.contacts import Draft
from engine.templates import host_faults
from models.session import transaction
from tests import sends, sequence
from tests.cli.conftest import Run
from tests.conftest import environment
from tests.web import applications


def test_templates_are_listed_with_the_variables_they_require(cadencia: Run, tmp_path: Path) -> None:
    with environment(DATABASE_URL="postgresql://x@127.0.0.1:9/none", LOG_FILE=str(tmp_path / "log")):
        listed = cadencia("templates", "list").stdout
    assert "email_1_roi\tindustria, link_calendly, nombre\tes\t{% if nombre %}{{ nombre }}" in listed


def test_a_broken_template_is_listed_with_its_fault_and_the_others_too(cadencia: Run, tmp_path: Path) -> None:
    for name, subject in (("bueno", "Hola"), ("roto", "{% if %}")):
        folder = tmp_path / "templates" / name
        folder.mkdir(parents=True)
        (folder / "subject.txt").write_text(subject)
        (folder / "body.html").write_text("<p>Hola</p>")
        (folder / "sample.json").write_text("{}")
    folders = {"TEMPLATES_DIR": str(tmp_path / "templates"), "LOG_FILE": str(tmp_path / "log")}
    with environment(DATABASE_URL="postgresql://x@127.0.0.1:9/none", **folders):
        listed = cadencia("templates", "list", status=1)
    assert listed.stdout.startswith("bueno\t")
    assert "roto\tBROKEN" in listed.stderr and "'roto' is broken" in listed.stderr


def test_unusable_templates_are_shown_with_host_and_reason(run: Run) -> None:
    with transaction() as session:
        sequence.create(session, "Otoño")
        host_faults.record(session, sends.sender(session), "email_1_roi", "'email_1_roi' is broken", retry_in_s=10)
    [listed] = [line for line in run("status", status=1).stdout.splitlines() if line.startswith("template")]
    assert listed.startswith("template\temail_1_roi\tunusable\ton testhost since") and listed.endswith(
        "'email_1_roi' is broken"
    )
    shown = run("campaigns", "show", "Otoño").stdout
    assert "cannot be used on testhost since" in shown and "'email_1_roi' is broken" in shown
    ready = applications.create().test_client().get("/readyz")
    assert (ready.status_code, ready.json["templates_unusable"]) == (200, 1)


def test_a_template_is_shown_and_printed_with_the_values_of_a_contact(run: Run) -> None:
    with transaction() as session:
        sequence.create(session, "Otoño")
        contacts.upsert(session, [Draft("ana@empresa.example", first_name="Ana")], now=sequence.NOW)
    shown = run("templates", "show", "email_1_roi").stdout
    assert "required variables\tindustria, link_calendly, nombre\n" in shown and "\nlink\thttps://" in shown
    of_ana = run("templates", "show", "email_1_roi", "--contact", "ana@empresa.example")
    assert "\nmissing\tlink_calendly\n" in of_ana.stdout and "Ana" in of_ana.stdout
    printed = run("templates", "preview", "email_1_roi", "--contact", "ana@empresa.example", "--campaign", "Otoño")
    assert printed.stdout.startswith("<!DOCTYPE html>") and sequence.VARIABLES["link_calendly"] in printed.stdout
    assert printed.stderr == "" and "/c/" not in printed.stdout


def test_tests_are_queued(run: Run) -> None:
    sent = run("templates", "send", "email_1_roi", "--to", "lucia@empresa.example").stdout
    assert run("outbox", "show", sent.partition("\t")[0]).stdout.count("[Prueba]") == 1
    refused = run("templates", "send", "email_1_roi", "--to", "lucia", status=1)
    assert "to[0]" in refused.stderr and "lucia" not in refused.stderr
    assert "did you mean email_1_roi" in run("templates", "show", "email_1_ro", status=1).stderr


def test_a_template_is_edited_in_files_and_published(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "oferta"
    run("templates", "new", "oferta", "--from", "email_1_roi")
    assert "oferta\tindustria, link_calendly, nombre\tes" in run("templates", "list").stdout
    run("templates", "pull", "oferta", "--to", str(folder))
    (folder / "subject.txt").write_text("Otro asunto\n")
    (folder / "preheader.txt").write_text("Una línea\n")
    pushed = run("templates", "push", str(folder), "--publish", "--note", "más corto").stdout
    assert pushed.startswith("oferta\t2\tpublished\t")
    assert "\tOtro asunto\tversion 2\n" in run("templates", "list").stdout
    assert "+Otro asunto" in run("templates", "diff", "oferta", "1", "2").stdout
    assert "in the inbox\tUna línea" in run("templates", "show", "oferta").stdout
    run("templates", "revert", "oferta", "1")
    listed = run("templates", "versions", "oferta").stdout.splitlines()
    assert [line.split("\t")[:2] for line in listed] == [["3", "draft"], ["2", "published"], ["1", "-"]]
    assert "somebody has saved version 3 meanwhile" in run("templates", "push", str(folder), status=1).stderr
    run("templates", "publish", "oferta")
    run("templates", "delete", "oferta")
    assert "there is no 'oferta'" in run("templates", "versions", "oferta", status=1).stderr


def test_a_push_over_the_version_of_somebody_else_needs_force(run: Run, tmp_path: Path) -> None:
    mine, theirs = tmp_path / "mine", tmp_path / "theirs"
    run("templates", "new", "oferta")
    for folder in (mine, theirs):
        run("templates", "pull", "oferta", "--to", str(folder))
        (folder / "subject.txt").write_text(f"{folder.name}\n")
    assert "is not empty" in run("templates", "pull", "oferta", "--to", str(mine), status=1).stderr
    run("templates", "push", str(theirs), "--name", "oferta")
    assert "somebody has saved version 2" in run("templates", "push", str(mine), "--name", "oferta", status=1).stderr
    assert run("templates", "push", str(mine), "--name", "oferta", "--force").stdout.startswith("oferta\t3\tdraft")
    run("templates", "pull", "oferta", "--to", str(theirs), "--force", "--version", "1")
    assert (theirs / "subject.txt").read_text() == "{{ nombre }}"


def test_all_templates_are_checked(run: Run, tmp_path: Path) -> None:
    assert {line.partition("\t")[2] for line in run("templates", "check").stdout.splitlines()} == {"ok"}
    folder = tmp_path / "roto"
    folder.mkdir()
    files = {"subject.txt": "x", "body.html": "<p>\n{{ nombre }}", "sample.json": "{}"}
    for name, written in files.items():
        (folder / name).write_text(written)
    checked = run("templates", "check", "email_1_roi", str(folder), status=1).stdout
    assert checked.startswith("email_1_roi\tok\n") and f"{folder}\tsample\terror\tlacks 'nombre'" in checked
    (folder / "sample.json").write_text('{"nombre": "Ana"}')
    warned = run("templates", "check", str(folder)).stdout
    assert warned.startswith(f"{folder}\tbody.html line 1\twarning\tthere is no preheader")
    (folder / "body.html").write_text("<p>\n{% if %}")
    assert "body.html line 2" in run("templates", "check", str(folder), status=1).stdout
    assert "body.html line 2" in run("templates", "push", str(folder), status=1).stderr
