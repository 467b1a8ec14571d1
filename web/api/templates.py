"""Route of templates: the names, languages, subjects and variables that a send may use."""

from engine.templates.compiling import UnusableTemplate
from engine.templates.templates import CannotRender, Template
from web import process
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
