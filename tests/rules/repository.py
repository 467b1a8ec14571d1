"""The files of the repository that the rules read, each read once."""

import ast
from functools import cache, lru_cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
MODULES = ("settings.py", "setting_types.py", "errors.py", "celery_config.py")
SHIPPED = ("engine", "models", "web", "worker", "cli")
AROUND = ("local", "bench", "tests")
GENERATED = ROOT / "models" / "migrations" / "versions"


@lru_cache
def sources(*folders: str) -> dict[str, ast.Module]:
    """Every Python file below these folders, by its path from the root; without folders, the modules at the root."""
    paths = [ROOT / name for name in MODULES] if not folders else []
    for folder in folders:
        paths += sorted((ROOT / folder).rglob("*.py"))
    return {path.relative_to(ROOT).as_posix(): _parsed(path) for path in paths}


@cache
def _parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def product() -> dict[str, ast.Module]:
    """Return the code that runs in an installation."""
    return sources() | sources(*SHIPPED)


def everything() -> dict[str, ast.Module]:
    """All Python of the repository."""
    return product() | sources(*AROUND)


def texts(*suffixes: str) -> dict[str, str]:
    """The text of every file with one of these suffixes, outside folders that are not the repository's."""
    folders = [*SHIPPED, *AROUND, "email_templates", "docs", ".ci"]
    paths = [path for path in ROOT.iterdir() if path.is_file()]
    for folder in folders:
        paths += [path for path in (ROOT / folder).rglob("*") if path.is_file()]
    kept = sorted(path for path in paths if path.suffix in suffixes or path.name in suffixes)
    return {path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8") for path in kept}


@cache
def nodes(tree: ast.Module) -> list[ast.AST]:
    """Every node of a file; `ast.walk` takes seconds for the whole repository."""
    return list(ast.walk(tree))


@cache
def imported(tree: ast.Module) -> set[str]:
    """The modules that a file imports, by their full names."""
    modules: set[str] = set()
    for node in nodes(tree):
        if isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            modules |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return modules


@cache
def attributes(tree: ast.Module) -> set[str]:
    """Every `name.attribute` a file uses, such as `os.environ`."""
    return {
        f"{node.value.id}.{node.attr}"
        for node in nodes(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)
    }
