"""Submissions of the form in a landing page, as those of the form's own page."""

from dataclasses import replace

from flask import Response, request

import errors
from engine.forms import definitions
from engine.forms.definitions import UTM
from engine.tracking import views
from errors import InvalidInput
from web.http import rate_limits
from web.http.auth import public
from web.http.errors import problem
from web.ingest import group_commit
from web.public.forms import parts, requests, sign_ups
from web.public.landing_pages import page_cache, rendering, renewal
from web.public.landing_pages.page_cache import CachedPage
from web.public.landing_pages.rendering import Subject
from web.public.pages import blueprint

pages = blueprint("landing_submissions", unknown="no_page")
pages.register_error_handler(errors.TooOften, requests.too_often)


@pages.post("/p/<slug>")
@public("everybody may sign up by the form of a published page")
def submit(slug: str) -> Response:
    """Store a submission of the page's form, as that of the form's own page; faults are shown in this page."""
    cached = renewal.page(slug, group_commit.current().run)
    form = cached.page.form
    if form is None:
        raise errors.NotFound("form: the page has none")
    requests.allowed_origin(form)
    with parts.refusals_counted():
        submitted = requests.read()
    response = parts.done(form, submitted.language)
    if submitted.is_trapped:
        rate_limits.form()
        return response
    try:
        with parts.refusals_counted():
            entry = parts.checked(form, submitted)
    except InvalidInput as invalid:
        return _refused(cached, submitted, invalid)
    source = views.source_of(entry.values.get(UTM[0], ""))
    sign_ups.store(form, replace(entry, landing=(cached.page.current.page_id, source)))
    return response


def _refused(cached: CachedPage, submitted: requests.Submitted, invalid: InvalidInput) -> Response:
    form = cached.page.form
    assert form is not None  # noqa: S101  # the caller has it
    if requests.wants_json():
        return problem(422, str(invalid), faults=invalid.faults)
    typed, codes, stamp = parts.shown_again(form, submitted, invalid)
    cache, query = page_cache.current(), page_cache.read(request.environ)
    query = query._replace(utm={name: typed[name] for name in definitions.UTM if typed.get(name)})
    language = submitted.language if submitted.language in cached.renderings else next(iter(cached.renderings))
    rendered = rendering.render(Subject(cached.page.slug, cached.page.content, form, typed, codes), language)
    gaps = cache.gaps(cached, query, language) | ({rendering.STAMP: stamp.encode()} if stamp else {})
    return Response(rendered.filled(gaps), 422, cache.fields(rendered, is_personal=True))
