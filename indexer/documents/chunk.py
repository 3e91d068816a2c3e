"""Turn a parsed document into passages that fit the model. Pure: equal input, equal chunks.

A document is tokenised once; cuts are chosen from the token offsets, and the chosen texts are then
counted for real, because the tokens of a part are not a part of the tokens.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from dataclasses import dataclass

from indexer.documents.layout import Layout
from indexer.documents.pieces import Piece, fit
from indexer.documents.prefix import Parts, joined, parts_of, shorten
from indexer.documents.sections import Passage, Section, build_tree, pack
from indexer.documents.split import cut
from indexer.errors import UsageError
from indexer.types import BlockKind, Chunk, ParsedDocument, TokenCounter

# Part of the contract: raise it whenever the same document would give other chunks.
CHUNKER_VERSION = 1

_SMALLEST_BUDGET = 16
_PREFIX_SHARE = 4
_QUICK_CHARACTERS_PER_TOKEN = 6
_NAMED = (BlockKind.HEADING, BlockKind.CODE)


@dataclass(frozen=True, slots=True)
class ChunkOptions:
    """Sizes in tokens. The model's own limit applies too.

    Usage:
        ChunkOptions()
        ChunkOptions(max_tokens=256, overlap_tokens=0)
    """

    max_tokens: int = 512  # of everything embedded: special tokens, title, heading path, text
    overlap_tokens: int = 32  # repeated between two parts of one section

    def __post_init__(self) -> None:
        if self.max_tokens < _SMALLEST_BUDGET:
            raise UsageError(
                f"A chunk of {self.max_tokens} tokens is too small. "
                f"Give max_tokens of at least {_SMALLEST_BUDGET}."
            )
        if not 0 <= self.overlap_tokens <= self.max_tokens // 4:
            raise UsageError(
                f"An overlap of {self.overlap_tokens} tokens does not go with chunks of "
                f"{self.max_tokens}. Give overlap_tokens from 0 to {self.max_tokens // 4}."
            )


_DEFAULT = ChunkOptions()


def chunk_document(
    document: ParsedDocument, counter: TokenCounter, options: ChunkOptions = _DEFAULT
) -> list[Chunk]:
    """The passages of a document in order; none when it holds only white space.

    Every character lies in some chunk and no embedded text exceeds
    min(options.max_tokens, counter.max_tokens).

    Raises:
        UsageError: the budget leaves no room for text beside the special tokens and the prompt.
    """
    if not document.text.strip():
        return []
    budget = min(options.max_tokens, counter.max_tokens)
    tree = build_tree(document.text, document.blocks)
    quick = _in_one_piece(document, counter, budget, tree)
    if quick is not None:
        return _finish(document, *quick)
    return _finish(document, *_plan(document, counter, budget, tree, options.overlap_tokens))


def _in_one_piece(
    document: ParsedDocument, counter: TokenCounter, budget: int, tree: Section
) -> tuple[list[Piece], list[int]] | None:
    """The whole document as one piece if it is that short: most notes are."""
    if len(document.text) > budget * _QUICK_CHARACTERS_PER_TOKEN:
        return None
    whole = pack(document.text, tree, lambda _start, _end: 0, 1)[0]
    prefix = joined(_parts(document, whole.path, whole.start))
    piece = Piece(0, len(document.text), whole.path, prefix)
    counts = counter.count([piece.embedded(document.text), *([prefix] if prefix else [])])
    if counts[0] > budget or (prefix and counts[1] > budget // _PREFIX_SHARE):
        return None
    return [piece], counts[:1]


def _plan(
    document: ParsedDocument, counter: TokenCounter, budget: int, tree: Section, overlap: int
) -> tuple[list[Piece], list[int]]:
    """Pieces and the real token counts of their embedded texts."""
    overhead = counter.count([""])[0]
    room = budget - overhead
    if room < _SMALLEST_BUDGET // 2:
        raise UsageError(
            f"The prompt and special tokens take {overhead} of {budget} tokens, which leaves no "
            f"room for text. Raise max_tokens or shorten the document prompt."
        )
    layout = _layout(document, counter)
    # Neighbouring sections of one parent fill the budget together. Joined to half of it only, the
    # sample's judged English queries lost 0.023 of recall@3 and there were 45 % more chunks.
    passages = pack(document.text, tree, layout.measure, room)
    prefixes = shorten(
        _all_parts(document, passages), counter, min(budget // _PREFIX_SHARE, room // 2), overhead
    )
    pieces: list[Piece] = []
    for passage in passages:
        first = prefixes[_parts(document, passage.path, passage.start)]
        later = prefixes[_parts(document, passage.path, None)]
        left = room - max(first[1], later[1])
        spans = cut(layout, passage.start, passage.end, left, min(overlap, left // 4))
        for n, (start, end) in enumerate(spans):
            pieces.append(Piece(start, end, passage.path, later[0] if n else first[0]))
    return fit(layout, counter, budget, pieces)


def _all_parts(document: ParsedDocument, passages: Iterable[Passage]) -> set[Parts]:
    at_start = {_parts(document, passage.path, passage.start) for passage in passages}
    return at_start | {_parts(document, passage.path, None) for passage in passages}


def _parts(document: ParsedDocument, path: tuple[str, ...], start: int | None) -> Parts:
    """What goes before a passage that starts at `start`; None: it starts inside its section."""
    leading = [] if start is None else _leading_names(document, start)
    return parts_of(document.title, path, leading)


def _leading_names(document: ParsedDocument, start: int) -> list[str]:
    """Names of the headings with which the text at `start` begins."""
    names: list[str] = []
    first = bisect_left(document.blocks, start, key=lambda block: block.start)
    for block in document.blocks[first:]:
        if document.text[start : block.start].strip() or block.kind not in _NAMED:
            break
        names.append(block.heading)
        start = block.end
        if block.kind is BlockKind.CODE:
            break
    return [name for name in names if name]


def _layout(document: ParsedDocument, counter: TokenCounter) -> Layout:
    starts = [start for start, _ in counter.offsets(document.text)]
    return Layout(
        document.text, starts, document.blocks, [block.start for block in document.blocks]
    )


def _finish(document: ParsedDocument, pieces: list[Piece], counts: list[int]) -> list[Chunk]:
    text = document.text
    place_starts = [place.start for place in document.places]
    chunks: list[Chunk] = []
    line, counted = 1, 0  # `line` is the line of position `counted`
    for ordinal, (piece, n_tokens) in enumerate(zip(pieces, counts, strict=True)):
        line += text.count("\n", counted, piece.start)
        counted = piece.start
        place = bisect_right(place_starts, piece.start) - 1
        chunk = Chunk(
            ordinal=ordinal,
            text=text[piece.start : piece.end],
            start=piece.start,
            end=piece.end,
            start_line=line,
            end_line=line + text.count("\n", piece.start, piece.end - 1),
            heading=piece.path,
            place=document.places[place].label if place >= 0 else "",
            embedded_text=piece.embedded(text),
            n_tokens=n_tokens,
        )
        chunks.append(chunk)
    return chunks
