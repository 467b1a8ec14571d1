"""Generate the Python code of a template: Jinja's own, except that output is yielded as tuples of bytes."""

from collections.abc import Callable, Iterable, Sequence, Set

from jinja2.compiler import CodeGenerator, Frame
from jinja2.nodes import Const, Expr, FilterBlock, Name, Node, Output, Template, TemplateData
from markupsafe import escape

BytesFilter = Callable[..., bytes]
Printed = tuple[Node, Frame]

# Names that Jinja reserves, even if a variable has the same name.
RESERVED_NAMES = frozenset({"self", "super", "loop", "caller", "varargs", "kwargs"})


class Generator(CodeGenerator):
    """Writes `yield (b"static", variables["name"], …)` where Jinja yields its strings one by one.

    Static text is encoded once, at compile time. A variable is looked up among the encoded variables of the render. Any
    other expression is Jinja's own code, encoded. Text captured by `{% set %}` or `{% filter %}` is encoded when it is
    printed.
    """

    def visit_Template(self, node: Template, frame: Frame | None = None) -> None:  # noqa: N802  # Jinja's name
        """Write the whole module."""
        bound = RESERVED_NAMES.union(name.name for name in node.find_all(Name) if name.ctx != "load")
        for output in node.find_all(Output):
            output.nodes = [_as_variable(child, bound) for child in output.nodes]
        super().visit_Template(node, frame)

    def write_commons(self) -> None:
        """Write the beginning of a root function."""
        super().write_commons()
        self.writeline("variables = context.variables")
        self.writeline("encode = context.encode")

    def blockvisit(self, nodes: Iterable[Node], frame: Frame) -> None:
        """Write the nodes; those that print with no statement between them are yielded in one tuple."""
        if frame.buffer is not None:
            super().blockvisit(nodes, frame)
            return
        self.writeline("pass")
        run: list[Printed] = []
        for node in nodes:
            if isinstance(node, Output):
                run += [(child, frame) for child in node.nodes]
            elif isinstance(node, FilterBlock) and self._is_bytes_filter(node) and _only_prints(node):
                run.append((node, self._inner(node, frame)))
            else:
                self._write_run(run)
                run = []
                self.visit(node, frame)
        self._write_run(run)

    def visit_FilterBlock(self, node: FilterBlock, frame: Frame) -> None:  # noqa: N802  # Jinja's name
        """Write a filter over captured, escaped text; its result is not escaped again, but gets CRLF line ends."""
        inner = self._inner(node, frame)
        self.buffer(inner)
        self.blockvisit(node.body, inner)
        self.writeline("yield (" if frame.buffer is None else f"{frame.buffer}.append(", node)
        if self._is_bytes_filter(node):
            self._begin_filter(node)
            self.write(f"concat({inner.buffer}).encode()")
            self._end_filter(node, inner)
        else:
            self.write("environment.finalize(context, ")
            self.visit_Filter(node.filter, inner)
            self.write(").encode()")
        self.write(", )" if frame.buffer is None else ".decode())")
        self.leave_frame(inner)

    def _inner(self, node: FilterBlock, frame: Frame) -> Frame:
        """Return the frame inside the filter's tags, with its names resolved."""
        inner = frame.inner()
        inner.symbols.analyze_node(node)
        self.enter_frame(inner)
        return inner

    def _is_bytes_filter(self, node: FilterBlock) -> bool:
        return node.filter.node is None and node.filter.name in self.environment.bytes_filters  # type: ignore[attr-defined]

    def _write_run(self, run: Sequence[Printed]) -> None:
        if run:
            self.writeline("yield (", run[0][0])
            self._write_all(run)
            self.write(")")

    def _write_all(self, run: Sequence[Printed]) -> None:
        static = ""
        for node, frame in run:
            fixed = _fixed(node, frame)
            if fixed is not None:
                static += fixed
                continue
            self._write_static(static)
            static = ""
            self._write_printed(node, frame)
        self._write_static(static)

    def _write_static(self, text: str) -> None:
        if text:
            self.write(f"{text.encode()!r}, ")

    def _write_printed(self, node: Node, frame: Frame) -> None:
        self.newline(node)  # a failure names the line of this code; the bytecode is the same
        if isinstance(node, Const) and isinstance(node.value, _Variable):
            self.write(f"variables[{node.value.name!r}], ")
        elif isinstance(node, FilterBlock):
            self._begin_filter(node)
            self.write("b''.join((")
            self._write_all([(child, frame) for output in node.body for child in output.iter_child_nodes()])
            self.write("))")
            self._end_filter(node, frame)
            self.write(", ")
        else:
            self.write("encode(")
            self.visit(node, frame)
            self.write("), ")

    def _begin_filter(self, node: FilterBlock) -> None:
        self.write(f"{self.filters[node.filter.name]}(context, ")

    def _end_filter(self, node: FilterBlock, frame: Frame) -> None:
        for argument in node.filter.args:
            self.write(", ")
            self.visit(argument, frame)
        self.write(")")


class _Variable:
    """A variable that is printed; where text is captured, Jinja writes its `repr` into the code."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return f"context.resolve({self.name!r})"


def _as_variable(node: Expr, bound: Set[str]) -> Expr:
    if isinstance(node, Name) and node.name not in bound:
        return Const(_Variable(node.name), lineno=node.lineno)
    return node


def _only_prints(node: FilterBlock) -> bool:
    return all(isinstance(inside, Output) for inside in node.body)


def _fixed(node: Node, frame: Frame) -> str | None:
    """Return the text that every render prints for this node; None if it varies."""
    if isinstance(node, TemplateData):
        return node.data
    if isinstance(node, Const) and type(node.value) is str and not {"\r", "\n", "\0"} & set(node.value):
        return str(escape(node.value)) if frame.eval_ctx.autoescape else node.value
    return None
