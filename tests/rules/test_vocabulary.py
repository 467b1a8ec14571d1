"""One word for one thing: retired words stay out of code, tests and documentation (docs/glossary.md)."""

import ast
import re
from collections.abc import Iterator
from functools import cache

from tests.rules import repository

# In prose: docstrings, comments and pages. Each with the word to use instead.
RETIRED_WORDS = {
    r"(?<!e-)mails": "e-mails (mail servers and mail programs keep their names)",
    r"letters?": "e-mail, or message for the bytes handed to SMTP",
    r"verdicts?|rejudg\w+": "classification",
    r"judg\w+": "classify, decide",
    r"fates?": "outcome",
    r"wish(?:es)?": "consent change",
    r"crowds?(?!`)(?<!`crowd)(?<!\"crowd)": "burst (the rule keeps its stored name, `crowd`)",
    r"in hand": "claimed, in flight",
    r"(?:ledger|database|broker|redis|storage) (?:is|was|are|were) away|while \w+ is away": "unavailable",
    r"took it|take leave|taken leave": "accepted; send QUIT and close",
    r"seats?": "connection quota",
    r"whoever|whose fault": "a plain subject",
    r"skeletons?": "prerendered message",
    r"told|heard": "notified, recognised, measured",
    r"spoils?": "a fault of",
    r"(?:the|an|of) offices?(?= (?:that|of forms|of a form))": "services of forms",
}
# As names of classes, functions, variables and modules.
RETIRED_NAMES = re.compile(
    r"^_?(?:letters?|verdicts?|fates?|wish(?:es)?|crowds?|deeds?|skeletons?|standings?|hand|told|"
    r"rejudg\w*|judg\w*|way|ways|fleet|seats?|doors?|desk|heard|offices?|proofs)$",
    re.IGNORECASE,
)
# A docstring states what its function does, beginning with the verb.
OPENINGS = re.compile(r"(?:What|Whether|How|Where|Who|Whose|When)\b")

COMMENT = re.compile(r"(?:^|(?<=\s))#.*", re.MULTILINE)  # also in strings: tokenizing takes a hundred times as long
HERE = "tests/rules/test_vocabulary.py"


@cache
def prose() -> dict[str, list[str]]:
    """Return the docstrings and comments of every Python file, and the text of every page."""
    code = repository.texts(".py")
    texts = {
        name: [*docstrings(tree), *comments(code[name])]
        for name, tree in repository.everything().items()
        if name != HERE
    }
    pages = {name: [text] for name, text in repository.texts(".md").items()}
    return texts | {name: text for name, text in pages.items() if name not in ("CHANGELOG.md", "docs/glossary.md")}


def docstrings(tree: ast.Module) -> Iterator[str]:
    for node in repository.nodes(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            yield ast.get_docstring(node) or ""


def comments(text: str) -> Iterator[str]:
    return (found.group() for found in COMMENT.finditer(text))


def names(tree: ast.Module) -> Iterator[str]:
    for node in repository.nodes(tree):
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            yield node.name
        elif isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id


def test_no_retired_word_stands_in_prose() -> None:
    """One pass for all words: each takes three seconds."""
    numbered = "|".join(f"(?P<w{number}>{word})" for number, word in enumerate(RETIRED_WORDS))
    pattern, advice = re.compile(rf"(?<!\w)(?:{numbered})\b", re.IGNORECASE), [*RETIRED_WORDS.values()]
    matches = [(name, text, at) for name, texts in prose().items() for text in texts for at in pattern.finditer(text)]
    assert [f"{name}: …{text[max(0, at.start() - 30) : at.end() + 30]!r}…: say {advice[int((at.lastgroup or '')[1:])]}"
            for name, text, at in matches] == []  # fmt: skip


def test_a_retired_word_is_no_name() -> None:
    retired = [
        f"{name}: {each}"
        for name, tree in repository.everything().items()
        for each in names(tree)
        if RETIRED_NAMES.match(each)
    ]
    assert retired == []


def test_no_docstring_opens_with_a_question_word() -> None:
    opening = [
        f"{name}: {text[:60]}"
        for name, tree in repository.everything().items()
        for text in docstrings(tree)
        if OPENINGS.match(text)
    ]
    assert opening == []
