"""A Jinja2 sandbox: plain values in, a bounded amount of text out, in bounded time (rule R31)."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from traceback import walk_tb
from typing import Any

from jinja2 import StrictUndefined, Template, Undefined, nodes
from jinja2.compiler import CodeGenerator
from jinja2.exceptions import SecurityError, TemplateError, TemplateSyntaxError
from jinja2.runtime import Context, LoopContext
from jinja2.sandbox import ImmutableSandboxedEnvironment

from engine.templates.sandbox import bounds, code_generator, filters, jinja_tests, printing
from engine.templates.sandbox.code_generator import BytesFilter

SOURCE_BYTES_MAX = 262_144
CODE_TOKENS_MAX = 10_000  # compiling this many takes about a second, and 100,000 took 427 MB (measured)
OUTPUT_BYTES_MAX = 1_000_000
ARGUMENT_CHARS_MAX = 256  # of a method of a text: `strip` compares each character with all of them
PIECES_UNMEASURED = 500  # more than these, or longer ones, are measured before they are joined

FAILURES = (TemplateError, ArithmeticError, LookupError, TypeError, ValueError, AttributeError, RecursionError)
"""Everything that rendering can raise, for any template and values."""

_METHODS: Mapping[type, frozenset[str]] = {
    LoopContext: frozenset({"changed", "cycle"}),
    str: frozenset({"capitalize", "endswith", "isdigit", "lower", "lstrip", "rstrip", "split", "startswith",
                    "strip", "title", "upper"}),
    dict: frozenset({"get", "items", "keys", "values"}),
}  # fmt: skip


class Environment(ImmutableSandboxedEnvironment):
    """Compiles template sources; `autoescape` is on for HTML and off for text.

    Line ends of static text are CRLF, so that the output needs no second pass. `bytes_filters` are only for
    `{% filter %}`; they take and return encoded text.
    """

    code_generator_class: type[CodeGenerator] = code_generator.Generator
    intercepted_binops = frozenset({"+", "*", "**", "%"})

    def __init__(self, *, autoescape: bool, bytes_filters: Mapping[str, BytesFilter] | None = None) -> None:
        super().__init__(
            autoescape=autoescape,
            undefined=StrictUndefined,
            newline_sequence="\r\n",
            keep_trailing_newline=True,
            finalize=filters.finalize,
        )
        self.bytes_filters = dict(bytes_filters or {})
        self.globals = {"range": bounds.short_range}
        self.eval_ctx = nodes.EvalContext(self)
        self.filters = {**filters.ALLOWED, **self.bytes_filters, **bounds.FILTERS}
        self.tests = dict(jinja_tests.ALLOWED)
        if not autoescape:
            self.filters["e"] = self.filters["escape"] = self.filters["string"]

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        if len(source.encode("utf-8", "replace")) > SOURCE_BYTES_MAX:
            raise TemplateSyntaxError(f"the source is longer than {SOURCE_BYTES_MAX} bytes", 1, name, filename)
        if "\0" in source:
            raise TemplateSyntaxError("the source holds a NUL", 1, name, filename)
        code = (part for _, part, _ in self.lexer.tokeniter(source, name, filename) if part != "data")
        if sum(1 for _ in islice(code, CODE_TOKENS_MAX + 1)) > CODE_TOKENS_MAX:
            raise TemplateSyntaxError(f"the code has more than {CODE_TOKENS_MAX} words and signs", 1, name, filename)
        parsed = super()._parse(source, name, filename)
        rewritten: nodes.Template = bounds.Rewriter(self, name, filename).visit(parsed)
        return rewritten

    def is_safe_callable(self, obj: Any) -> bool:
        """Return True for `range`, `loop.cycle`, `loop.changed` and harmless methods of strings and dicts."""
        if obj is bounds.short_range or isinstance(obj, Undefined):
            return True  # calling an undefined name raises the error that names it
        owner, name = getattr(obj, "__self__", None), getattr(obj, "__name__", "")
        return any(isinstance(owner, kind) and name in methods for kind, methods in _METHODS.items())

    def call(__self, __context: Context, __obj: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: N805  # as in Jinja
        """Return the result of a safe call; raise SecurityError for any other, without the object in its message."""
        if not __self.is_safe_callable(__obj):
            raise SecurityError(f"a {type(__obj).__name__} may not be called here")
        owner = getattr(__obj, "__self__", None)
        if isinstance(owner, str):
            __context.spend(len(owner))  # type: ignore[attr-defined]  # a RenderContext
        for arg in (*args, *kwargs.values()):
            if isinstance(owner, str) and isinstance(arg, str) and len(arg) > ARGUMENT_CHARS_MAX:
                raise SecurityError(f"an argument of more than {ARGUMENT_CHARS_MAX} characters")
            __context.scan(arg)  # type: ignore[attr-defined]
        result = super().call(__context, __obj, *args, **kwargs)
        return __context.copied(result) if isinstance(owner, str) else result  # type: ignore[attr-defined]

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        """Return the result of an operator that can produce much from little; check the operands, charge the result."""
        bounds.check_operation(context, operator, left, right)
        return context.charge(super().call_binop(context, operator, left, right))


def render(templates: Sequence[Template], values: dict[str, Any], names: Iterable[str] = ()) -> list[bytes]:
    """Return the output of each template in UTF-8; raise one of FAILURES.

    `values` are plain data. `names` are the variables that the templates use; naming them only saves time.
    """
    text, html = printing.encoded_variables(values, names)
    return [_rendered(template, values, html if template.environment.autoescape else text) for template in templates]


def _rendered(template: Template, values: dict[str, Any], variables: printing.EncodedVariables) -> bytes:
    pieces: list[bytes] = []
    for run in template.root_render_func(printing.RenderContext(template.environment, values, variables)):
        pieces += run  # type: ignore[arg-type]  # a tuple of bytes, see code_generator
    if (len(pieces) > PIECES_UNMEASURED or variables.is_long) and sum(map(len, pieces)) > OUTPUT_BYTES_MAX:
        raise SecurityError(f"the template makes more than {OUTPUT_BYTES_MAX} bytes")
    output = b"".join(pieces)
    if len(output) > OUTPUT_BYTES_MAX:
        raise SecurityError(f"the template makes more than {OUTPUT_BYTES_MAX} bytes")
    return output


def failing_line(environment: Environment, source: str, values: dict[str, Any]) -> int | None:
    """Return the line of a source that cannot be rendered with these values; None if all can be, or if it is unknown.

    Raise TemplateSyntaxError if the source is invalid.
    """
    template = environment.from_string(source)
    try:
        render([template], values)
    except FAILURES as failure:
        # Jinja compiles a source to functions of a file of this name, and knows the line of each of their lines.
        lines = [line for frame, line in walk_tb(failure.__traceback__) if frame.f_code.co_filename == "<template>"]
        return template.get_corresponding_lineno(lines[-1]) if lines else None
    return None
