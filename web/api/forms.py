"""Routes of sign-up forms: create, change, disable, and submissions by servers."""

from dataclasses import asdict

from engine import bell, clock, figures
from engine.forms import confirming, forms, submissions
from engine.forms.confirming import Visit
from engine.forms.definitions import CONSENT, EMAIL
from engine.forms.forms import StoredForm
from engine.forms.services import FormServices
from engine.forms.submissions import Entry
from errors import Fault, InvalidInput, NotFound
from models.session import Session, retrying, transaction
from web import process
from web.http.auth import needs
from web.http.routes import Api, Reply, refusals
from web.schemas import forms as shapes

api = Api("forms", "/api/v1/forms", about="Sign-up forms with double opt-in.")
_TAKEN = refusals({409: "slug: there is a form 'guia-roi' already; choose another"})


@api.post("", responses={201: shapes.Form, **_TAKEN})
@needs("campaigns")
def create(body: shapes.FormWanted) -> Reply:
    """Create a form. Its page takes submissions at once."""
    values = body.model_dump(mode="json")
    services, now = _services(), clock.now()
    with transaction() as session:
        form = forms.create(session, values, services=services, now=now)
    return shapes.Form(**_fields(form)), 201


@api.get("", responses={200: shapes.Forms})
@needs("campaigns", "reports")
def listing(query: shapes.FormsQuery) -> Reply:
    """List forms in the order of their slugs."""
    with transaction() as session:
        page = forms.page(session, after=query.after)
    after = page[-1].definition.slug if len(page) == forms.LIMIT else None
    return shapes.Forms(forms=[shapes.Form(**_fields(form)) for form in page], next=after)


@api.get("/<slug>", responses={200: shapes.FormStory})
@needs("campaigns", "reports")
def show(path: shapes.FormPath) -> Reply:
    """Return one form with the numbers of its submissions; if these are very many, as they were counted last."""
    with transaction() as session:
        form = forms.by_slug(session, path.slug)
        states = figures.submissions(session, [form.id])[form.id]
    return shapes.FormStory(**_fields(form), submitted=sum(states.values()), **states)


@api.put("/<slug>", responses={200: shapes.Form})
@needs("campaigns")
def change(path: shapes.FormPath, body: shapes.FormChange) -> Reply:
    """Replace the definition of a form. A changed consent text is a new version; given consents keep the old one."""
    values = body.model_dump(mode="json")
    services, now = _services(), clock.now()
    with transaction() as session:
        form = forms.change(session, path.slug, values, services=services, now=now)
    return shapes.Form(**_fields(form))


@api.post("/<slug>/disable", responses={200: shapes.Form})
@needs("campaigns")
def disable(path: shapes.FormPath) -> Reply:
    """Take no submissions by this form any more; links in e-mails that were sent work on. Safe to repeat."""
    with transaction() as session:
        form = forms.set_active(session, path.slug, False, now=clock.now())
    return shapes.Form(**_fields(form))


@api.post("/<slug>/enable", responses={200: shapes.Form})
@needs("campaigns")
def enable(path: shapes.FormPath) -> Reply:
    """Take submissions again. Safe to repeat."""
    with transaction() as session:
        form = forms.set_active(session, path.slug, True, now=clock.now())
    return shapes.Form(**_fields(form))


@api.post("/<slug>/submit", responses={202: shapes.Submitted})
@needs("contacts")
def submit(path: shapes.FormPath, body: shapes.Submission) -> Reply:
    """Submit the form for a person, as its page does; the person confirms it by mail. Safe to repeat.

    The response is the same for known, unknown and suppressed addresses.
    """
    services, now = _services(), clock.now()

    def work(session: Session) -> bool:
        form = forms.by_slug(session, path.slug)
        if not form.is_active:
            raise NotFound("form: it takes no submissions any more")
        address, values = _checked(form, body)
        entry = Entry(address, values, body.language, body.page.partition("?")[0])
        submission_id = submissions.store(session, form, entry, services=services, now=now)
        if not form.definition.double_opt_in:
            confirming.confirm(session, submission_id, Visit("form", ""), services=services, now=now)
        return form.definition.double_opt_in

    asks = retrying(work)
    bell.ring("transactional")
    bell.ring("sequence")
    return shapes.Submitted(status="confirm" if asks else "done"), 202


def _checked(form: StoredForm, body: shapes.Submission) -> tuple[str, dict[str, str]]:
    """Return the address and the values; raise InvalidInput with the faults in the fields of the body."""
    own = {EMAIL: body.email, CONSENT: body.consent}
    try:
        return submissions.check(form.definition, {**body.fields, **own})
    except InvalidInput as invalid:
        faults = [
            Fault(each.field if each.field in own else f"fields.{each.field}", each.message) for each in invalid.faults
        ]
        raise InvalidInput(faults) from None


def _services() -> FormServices:
    return FormServices.configured(process.current().settings, process.current().library)


def _fields(form: StoredForm) -> dict[str, object]:
    definition = form.definition
    values = asdict(definition) | {"notified": len(definition.notify)}
    del values["notify"]
    url = _services().url(f"/f/{definition.slug}")
    moments = {"created_at": form.created_at, "updated_at": form.updated_at}
    return {"id": form.id, "state": form.state, "url": url, **values, **moments}
