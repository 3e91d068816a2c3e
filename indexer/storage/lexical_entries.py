"""What the lexical copy holds of a chunk, as bags of our own terms."""

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Connection, select

from indexer.paths import searched_name
from indexer.storage.analysis import compound_terms, exact_words, index_terms
from indexer.storage.encoding import decode_heading
from indexer.storage.tables import ChunkRow, DocumentRow, FileRow

ID, BODY, HEAD, NAME = "chunk_id", "body", "head", "name"
EXACT = "exact"  # words of text, title, headings and name as they are written, for phrases
COMPOUNDS = "compounds"  # of the text, to be found by their first and last parts
TERMS = "terms"  # our terms come joined by spaces
_ROWS = 1_000


def schema() -> Any:
    """Tantivy's schema: ids fast and indexed, bags of terms; texts stay in the catalog."""
    import tantivy

    builder = tantivy.SchemaBuilder()
    builder.add_unsigned_field(ID, indexed=True, fast=True)
    for name in (BODY, HEAD, NAME):
        # Frequencies without positions: ranking needs no more.
        builder.add_text_field(name, tokenizer_name=TERMS, index_option="freq")
    builder.add_text_field(EXACT, tokenizer_name=TERMS, index_option="position")
    builder.add_text_field(COMPOUNDS, tokenizer_name=TERMS, index_option="basic")
    return builder.build()


def make_entry(chunk_id: int, text: str, titles: Sequence[str], name: str, language: str) -> Any:
    """A chunk as tantivy takes it.

    Args:
        chunk_id: the chunk's.
        text: the chunk's.
        titles: the document's title and the chunk's headings.
        name: the file's, without its ending.
        language: the document's stemmer, "" for none.
    """
    import tantivy

    document = tantivy.Document()
    document.add_unsigned(ID, chunk_id)
    document.add_text(BODY, index_terms(text, language))
    document.add_text(HEAD, index_terms("\n".join(titles), language))
    document.add_text(NAME, index_terms(name, language))
    # One value each: tantivy leaves a gap of positions between them, which no phrase crosses.
    for value in (text, *titles, name):
        document.add_text(EXACT, " ".join(exact_words(value)))
    document.add_text(COMPOUNDS, compound_terms(text, language))
    return document


def entries(connection: Connection, generation: int) -> Iterator[Any]:
    """An entry for every chunk written after `generation`."""
    query = (
        select(
            ChunkRow.id,
            ChunkRow.text,
            ChunkRow.heading,
            DocumentRow.title,
            DocumentRow.language,
            FileRow.path,
        )
        .join(DocumentRow, DocumentRow.id == ChunkRow.document_id)
        .join(FileRow, FileRow.id == DocumentRow.file_id)
        .where(ChunkRow.generation > generation)
        .order_by(ChunkRow.id)
        .execution_options(yield_per=_ROWS)
    )
    for chunk_id, text, heading, title, language, path in connection.execute(query):
        name = searched_name(path)
        yield make_entry(chunk_id, text, (title, *decode_heading(heading)), name, language)
