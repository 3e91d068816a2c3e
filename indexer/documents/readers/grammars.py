"""Definitions in source code, by tree-sitter."""

from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from itertools import accumulate
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tree_sitter import Node

# language: (module, its function, node types that define something)
_GRAMMARS = {
    "python": ("tree_sitter_python", "language", "function_definition class_definition"),
    "javascript": ("tree_sitter_javascript", "language", "@script"),
    "typescript": ("tree_sitter_typescript", "language_typescript", "@script"),
    "tsx": ("tree_sitter_typescript", "language_tsx", "@script"),
    "go": (
        "tree_sitter_go",
        "language",
        "function_declaration method_declaration type_declaration",
    ),
    "java": (
        "tree_sitter_java",
        "language",
        "class_declaration interface_declaration enum_declaration record_declaration "
        "annotation_type_declaration method_declaration constructor_declaration",
    ),
    "rust": (
        "tree_sitter_rust",
        "language",
        "function_item struct_item enum_item trait_item impl_item mod_item macro_definition "
        "union_item function_signature_item",
    ),
    "c": (
        "tree_sitter_c",
        "language",
        "function_definition struct_specifier enum_specifier union_specifier type_definition",
    ),
    "cpp": (
        "tree_sitter_cpp",
        "language",
        "function_definition struct_specifier enum_specifier union_specifier type_definition "
        "class_specifier namespace_definition concept_definition",
    ),
}
_SCRIPT = (
    "function_declaration generator_function_declaration class_declaration method_definition "
    "abstract_class_declaration interface_declaration enum_declaration type_alias_declaration "
    "internal_module module lexical_declaration"
)
# Nodes around definitions that are no definition themselves.
_WRAPPERS = frozenset(
    {"decorated_definition", "export_statement", "template_declaration", "ambient_declaration"}
    | {"declaration", "expression_statement"}
)
_BODIES = frozenset(
    {"block", "class_body", "declaration_list", "field_declaration_list", "interface_body"}
    | {"enum_body", "statement_block", "enum_body_declarations", "preproc_ifdef", "preproc_if"}
    | {"linkage_specification", "preproc_else", "object_type"}
)
_COMMENTS = frozenset({"comment", "line_comment", "block_comment", "attribute_item", "decorator"})
_NAMES = ("name", "declarator", "type")
_MAX_DEPTH = 3  # functions inside functions are part of them


@dataclass(frozen=True, slots=True)
class Definition:
    """A function, class or the like, with those inside it; positions in code points."""

    name: str
    start: int  # of its first line, comments and decorators above it included
    end: int
    inner: tuple["Definition", ...]


def definitions(text: str, language: str) -> list[Definition] | None:
    """The outermost definitions in order; None when there is no grammar for the language."""
    if language not in _GRAMMARS or find_spec("tree_sitter") is None:
        return None
    module, function, kinds = _GRAMMARS[language]
    if find_spec(module) is None:
        return None
    from tree_sitter import Language, Parser

    grammar = Language(getattr(import_module(module), function)())
    tree = Parser(grammar).parse(text.encode())
    wanted = frozenset((_SCRIPT if kinds == "@script" else kinds).split())
    lines = text.split("\n")
    starts = list(accumulate((len(line) + 1 for line in lines), initial=0))
    return list(_Reading(wanted, lines, starts).below(tree.root_node, _MAX_DEPTH))


class _Reading:
    def __init__(self, wanted: frozenset[str], lines: list[str], starts: list[int]) -> None:
        self._wanted = wanted
        self._lines = lines
        self._starts = starts

    def below(self, parent: "Node", depth: int) -> Iterator[Definition]:
        comment: Node | None = None  # the first of the comments right above what comes
        last_row = -2
        for node in parent.named_children:
            first_row, after = node.start_point[0], node.end_point[0]
            if node.type in _COMMENTS:
                if comment is None or first_row > last_row + 1:
                    comment = node
                last_row = after
                continue
            above = comment if comment is not None and first_row <= last_row + 1 else node
            comment = None
            defining = self._defining(node)
            if defining is not None:
                yield self._definition(above, node, defining, depth)
            elif node.type in _BODIES:
                yield from self.below(node, depth)
            last_row = after

    def _defining(self, node: "Node") -> "Node | None":
        """The node that defines, looked for in wrappers too."""
        if node.type in self._wanted:
            return node if _counts(node) else None
        if node.type in _WRAPPERS:
            for child in node.named_children:
                found = self._defining(child)
                if found is not None:
                    return found
        return None

    def _definition(self, above: "Node", outer: "Node", node: "Node", depth: int) -> Definition:
        inner: tuple[Definition, ...] = ()
        body = node.child_by_field_name("body")
        if depth > 1 and body is not None and not node.type.startswith(("function", "method")):
            inner = tuple(self.below(body, depth - 1))
        start = self._starts[above.start_point[0]]
        end = self._position(*outer.end_point)
        inner = tuple(each for each in inner if start < each.start < each.end <= end)
        return Definition(_name(node), start, max(end, start), inner)

    def _position(self, row: int, column: int) -> int:
        """Code points before a row and a column in bytes."""
        if row >= len(self._lines):
            return self._starts[-1] - 1
        line = self._lines[row]
        if not line.isascii():
            column = len(line.encode()[:column].decode("utf-8", "ignore"))
        return self._starts[row] + column


def _counts(node: "Node") -> bool:
    """False for uses of a type without a body, and for variables that hold no function."""
    if node.type.endswith("_specifier"):
        return node.child_by_field_name("body") is not None
    if node.type == "lexical_declaration":
        values = (child.child_by_field_name("value") for child in node.named_children)
        kinds = ("arrow_function", "function_expression", "class")
        return any(value is not None and value.type in kinds for value in values)
    return True


def _name(node: "Node") -> str:
    """The identifier a definition introduces."""
    for _ in range(10):
        following = next(
            (child for field in _NAMES if (child := node.child_by_field_name(field))), None
        )
        if following is None:
            break
        node = following
    if node.named_child_count and node.type in ("type_declaration", "lexical_declaration"):
        inner = node.named_children[0].child_by_field_name("name")
        node = inner if inner is not None else node
    text = node.text.decode("utf-8", "replace") if node.text else ""
    return " ".join(text.split())[:200] if len(text) < 200 else ""
