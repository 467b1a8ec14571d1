"""Imports form no circle and no long chain: each is short from an entry point to its end.

A chain counts modules, from an entry point to one that imports none of ours. All imports count, also those in functions
and those for types alone.
"""

import ast
from collections.abc import Collection, Iterator, Mapping
from graphlib import CycleError, TopologicalSorter

import pytest

from tests.rules import repository

LONGEST = 14


def chains(trees: Mapping[str, ast.Module]) -> dict[str, tuple[str, ...]]:
    """Return the longest chain from each module. Raise CycleError for a circle, with its modules."""
    modules = {path.removesuffix(".py").removesuffix("/__init__").replace("/", "."): path for path in trees}
    imported = {name: set(_imports(trees[path], modules)) - {name} for name, path in modules.items()}
    longest: dict[str, tuple[str, ...]] = {}
    for name in TopologicalSorter(imported).static_order():
        longest[name] = (name, *max((longest[other] for other in imported[name]), key=len, default=()))
    return longest


def _imports(tree: ast.Module, modules: Collection[str]) -> Iterator[str]:
    """Yield the modules that a file imports; of `from package import name`, the module of that name or the package."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in modules)
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                name = f"{node.module}.{alias.name}"
                yield from [each for each in (name, node.module) if each in modules][:1]


def test_no_import_chain_is_longer_than_fourteen_modules() -> None:
    trees = repository.product() | repository.sources("local", "bench")
    assert [" > ".join(chain) for chain in chains(trees).values() if len(chain) > LONGEST] == []


def test_chains_follow_packages_and_imports_in_functions() -> None:
    trees = {
        "a.py": ast.parse("from b import c"),
        "b/__init__.py": ast.parse(""),
        "b/c.py": ast.parse("def late():\n    from d import Name"),
        "d/__init__.py": ast.parse("import e"),
        "e.py": ast.parse("import json"),
    }
    assert chains(trees)["a"] == ("a", "b.c", "d", "e")
    with pytest.raises(CycleError):
        chains(trees | {"e.py": ast.parse("import a")})
