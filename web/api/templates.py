"""Routes of templates: what a send may use, test sends; templates in the database and their versions."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

from engine import bell, clock
from engine.previews import sends, values
from engine.templates import checks
from engine.templates.compiling import UnusableTemplate
from engine.templates.sources import FolderParts
from engine.templates.templates import CannotRender, Template, UnknownTemplate
from engine.templates.versions import copying, history, store
from errors import Forbidden, MissingPrecondition, NotFound
from models.session import Session, transaction
from web import process
from web.http import auth, idempotency, rate_limits
from web.http.auth import needs
from web.http.routes import Api, Reply, refusals
from web.schemas.templates import listing as shapes
from web.schemas.templates import versions

api = Api("templates", "/api/v1/templates", about="The templates of e-mails: folders on the servers, and versions.")
_READERS = ("send", "campaigns", "reports", "templates")
_NEWER = "version: somebody has saved version 3 meanwhile, with the digest '…', not '…': load it again"
_TAKEN = refusals({409: "name: there is a template oferta already; choose another name, or save a version of it"})
_USED = refusals({409: "template: these campaigns use oferta: Otoño; delete or cancel them, or let them finish"})
_SAVED = refusals({409: _NEWER, 428: "If-Match: give the ETag of the newest version, as the content has it"})


@api.get("", responses={200: shapes.Templates})
@needs(*_READERS)
def listing(query: shapes.TemplatesQuery) -> Reply:
    """List the templates by name, with their languages, subjects and variables; a broken one has a `fault`."""
    with transaction() as session:
        stored = {each.name: each for each in history.templates(session, after=query.after)}
    of_folder = (name for name in process.current().library.folder_names() if name > query.after)
    names = sorted({*of_folder, *stored})[: history.LIMIT]
    following = names[-1] if len(names) == history.LIMIT else None
    return shapes.Templates(templates=[_template(name, stored.get(name)) for name in names], next=following)


@api.post("", responses={201: versions.Version, **_TAKEN})
@needs("templates")
def create(body: versions.NewTemplate) -> Reply:
    """Create a template in the database. It is a draft until its first version is published."""
    change = _change(body.note)
    with transaction() as session:
        saved = store.create(session, body.name, body.content(), library=process.current().library, change=change)
    return _saved(saved, 201)


@api.get("/<name>", responses={200: versions.TemplateContent})
@needs(*_READERS)
def content(path: shapes.TemplatePath, query: versions.VersionQuery) -> Reply:
    """Return the sources of a template, with their digest as ETag."""
    with transaction() as session:
        try:
            saved, sources = history.version(session, path.name, query.version)
        except NotFound:
            if query.version is not None:
                raise
            saved, sources = None, copying.of_folder(_folder(path.name))
    shown = versions.TemplateContent(
        name=path.name,
        source="database" if saved else "folder",
        version=saved.version if saved else None,
        published_version=saved.published if saved else None,
        digest=sources.digest,
        **asdict(sources),
    )
    return shown, 200, _etag(sources.digest)


@api.put("/<name>", responses={200: versions.Version, **_SAVED})
@needs("templates")
def save(header: versions.IfMatch, path: shapes.TemplatePath, body: versions.NewVersion) -> Reply:
    """Save a version, a draft until it is published. Safe to repeat: equal content is not saved again.

    `If-Match` is the ETag of the newest version as it was read. 409 if somebody else has saved another one since.
    """
    expected, change = header.if_match.removeprefix("W/").strip('"'), _change(body.note)
    with _named(path.name) as session:
        if not expected:
            history.version(session, path.name)
            raise MissingPrecondition.of("If-Match", "give the ETag of the newest version, as the content has it")
        saved = store.save(session, path.name, body.content(), expected=expected, change=change)
    return _saved(saved)


@api.delete("/<name>", responses={200: versions.DeletedTemplate, **_USED})
@needs("templates")
def delete(path: shapes.TemplatePath) -> Reply:
    """Delete a template of the database. 409 if a campaign that has not ended or a queued e-mail uses it."""
    with _named(path.name) as session:
        store.delete(session, path.name)
    process.current().library.refresh()
    return versions.DeletedTemplate(name=path.name, status="deleted")


@api.post("/<name>/validate", responses={200: versions.Valid})
@needs("templates")
def validate(path: shapes.TemplatePath, body: versions.Unsaved) -> Reply:
    """Check that e-mails can be made of a content, or without a body of the newest version.

    422 with the faults in fields like `html`, with the `line` where it is known. `findings` are faults of such
    e-mails for readers. Nothing is saved.
    """
    with _named(path.name) as session:
        newest = history.version(session, path.name)[1]
    checked = newest if body == versions.Unsaved() else body.content()
    template = store.validate(process.current().library, path.name, checked)
    spoiling = checks.of(path.name, checked.parts(), process.current().brand)
    findings = [versions.Finding(**asdict(each)) for each in spoiling]
    return versions.Valid(status="valid", required=sorted(template.required), findings=findings)


@api.post("/<name>/publish", responses={200: versions.Version})
@needs("templates")
def publish(path: shapes.TemplatePath, body: versions.Publication) -> Reply:
    """Let new e-mails use a version, as they do within a second. 422 with the faults if none can be made of it.

    Launched campaigns and queued e-mails keep their versions.
    """
    library = process.current().library
    with _named(path.name) as session:
        saved = store.publish(session, path.name, body.version, library=library)
    library.refresh()
    return _saved(saved)


@api.post("/<name>/revert", responses={200: versions.Version})
@needs("templates")
def revert(path: shapes.TemplatePath, body: versions.Revert) -> Reply:
    """Save the content of an old version as the newest one, a draft until it is published. Safe to repeat."""
    with _named(path.name) as session:
        saved = store.revert(session, path.name, body.version, change=_change(body.note))
    return _saved(saved)


@api.post("/<name>/clone", responses={201: versions.Version, **_TAKEN})
@needs("templates")
def clone(path: shapes.TemplatePath, body: versions.Copy) -> Reply:
    """Create a copy of a template, of the database or of a folder, in the database; layouts are filled in."""
    library, change = process.current().library, _change(body.note)
    with transaction() as session:
        try:
            saved = store.clone(session, path.name, body.name, library=library, change=change)
        except UnknownTemplate as unknown:
            raise NotFound(str(unknown)) from None
    return _saved(saved, 201)


@api.get("/<name>/versions", responses={200: versions.Versions})
@needs(*_READERS)
def list_versions(path: shapes.TemplatePath, query: versions.VersionsQuery) -> Reply:
    """List the versions of a template, newest first. `next` of a page is `before` of the next one."""
    with _named(path.name) as session:
        page = history.versions(session, path.name, before=query.before)
    following = page[-1].version if len(page) == history.LIMIT else None
    return versions.Versions(versions=[versions.Version.of(each) for each in page], next=following)


@api.get("/<name>/diff", responses={200: versions.Diff})
@needs(*_READERS)
def diff(path: shapes.TemplatePath, query: versions.DiffQuery) -> Reply:
    """Compare two versions of a template, part by part, as unified diffs."""
    with _named(path.name) as session:
        saved, new = history.version(session, path.name, query.new)
        _, old = history.version(session, path.name, query.old or max(saved.version - 1, 1))
    return versions.Diff(parts=history.diff(old, new))


@api.post("/<name>/test", responses={202: shapes.TestAccepted})
@needs("campaigns", "send")
def test(path: shapes.TemplatePath, header: shapes.Headers, body: shapes.Test) -> Reply:
    """Send tests of a template.

    Their subjects begin with [Prueba] or [Test]. They are in no count, nobody is tracked, and no sequence is stopped
    by them. Addresses that are dead or complained are refused. An account may send 50 a day (`TEST_RATE`).
    """
    template = process.current().library.existing(path.name)
    if body.contact_id is not None and not auth.caller().may("contacts"):
        raise Forbidden(auth.missing_scope(("contacts",)))
    with transaction() as session:
        chosen = values.of(session, template, contact_id=body.contact_id, campaign_id=body.campaign_id)
    variables = {**chosen.variables, **body.variables}

    def queue(session: Session) -> shapes.TestAccepted:
        email_ids = sends.send(session, template, body.to, variables, now=clock.now())
        rate_limits.test(auth.caller().account_id, len(email_ids))
        return shapes.TestAccepted.of(email_ids)

    result = idempotency.do(idempotency.read(header.idempotency_key), queue, status=202)
    bell.ring(sends.LANE)
    return result.response


def _change(note: str | None) -> store.Change:
    return store.Change(auth.caller().account_id, clock.now(), note)


def _saved(saved: history.Version, status: int = 200) -> Reply:
    return versions.Version.of(saved), status, _etag(saved.digest)


def _etag(digest: str) -> Mapping[str, str]:
    return {"ETag": f'"{digest}"'}


@contextmanager
def _named(name: str) -> Iterator[Session]:
    """Open a transaction about a template of the database; of a name that nothing has, say which ones there are."""
    try:
        with transaction() as session:
            yield session
    except NotFound:
        if name not in process.current().library.names():
            process.current().library.existing(name)
        raise


def _folder(name: str) -> FolderParts:
    try:
        return process.current().library.parts(name)
    except UnknownTemplate as unknown:
        raise NotFound(str(unknown)) from None


def _template(name: str, saved: history.Version | None) -> shapes.Template:
    library = process.current().library
    fields: dict[str, Any] = {
        "name": name,
        "source": "database" if saved else "folder",
        "published_version": saved.published if saved else None,
        "newest_version": saved.newest if saved else None,
        "hides_folder": saved is not None and name in library.folder_names(),
        "language": None,
        "subject": None,
        "sample_subject": None,
        "variables": [],
        "fault": None,
    }
    try:
        template = library.pinned(name, (saved.published or saved.newest) if saved else None)
    except UnusableTemplate as unusable:
        return shapes.Template(**fields | {"fault": unusable.faults[0].message})
    shown = {
        "language": template.language,
        "subject": template.subject_source,
        "sample_subject": _sample_subject(template),
        "variables": [
            {"name": each, "required": each in template.required, "sample": template.sample.get(each)}
            for each in sorted(template.required | template.optional)
        ],
    }
    return shapes.Template.model_validate(fields | shown)


def _sample_subject(template: Template) -> str | None:
    try:
        return template.subject(template.sample)
    except CannotRender:
        return None
