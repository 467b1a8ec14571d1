"""Routes of templates: the names, languages, subjects and variables that a send may use; test sends."""

from engine import bell, clock
from engine.previews import sends, values
from engine.templates.compiling import UnusableTemplate
from engine.templates.templates import CannotRender, Template
from errors import Forbidden
from models.session import Session, transaction
from web import process
from web.http import auth, idempotency, rate_limits
from web.http.auth import needs
from web.http.routes import Api, Reply
from web.schemas import templates as shapes

api = Api("templates", "/api/v1/templates", about="The templates of e-mails; they are files on the servers.")


@api.get("", responses={200: shapes.Templates})
@needs("send", "campaigns", "reports")
def listing() -> Reply:
    """List the templates with their languages, subjects and variables; a broken one has a `fault`."""
    library = process.current().library
    return shapes.Templates(templates=[_template(name) for name in library.names()])


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

    done = idempotency.do(idempotency.read(header.idempotency_key), queue, status=202)
    bell.ring(sends.LANE)
    return done.response


def _template(name: str) -> shapes.Template:
    try:
        template = process.current().library.get(name)
    except UnusableTemplate as unusable:
        fault = unusable.faults[0].message
        return shapes.Template(name=name, language=None, subject=None, sample_subject=None, variables=[], fault=fault)
    return shapes.Template(
        name=name,
        language=template.language,
        subject=template.subject_source,
        sample_subject=_sample_subject(template),
        variables=[
            shapes.Variable.model_validate(
                {"name": each, "required": each in template.required, "sample": template.sample.get(each)}
            )
            for each in sorted(template.required | template.optional)
        ],
        fault=None,
    )


def _sample_subject(template: Template) -> str | None:
    try:
        return template.subject(template.sample)
    except CannotRender:
        return None
