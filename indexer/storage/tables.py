"""The catalog's tables: the only truth; FAISS and the lexical index are copies of it.

A change here needs a new file in `alembic/versions` and its name at the end of `REVISIONS`.
"""

from sqlalchemy import BLOB, ForeignKey, Index, Integer, LargeBinary, Text, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

# Every schema this code knows, oldest first; the last one is what it reads and writes.
REVISIONS = ("0001", "0002")


class Base(DeclarativeBase):
    """Metadata of all tables."""


class CollectionRow(Base):
    """The one row that says what this collection is."""

    __tablename__ = "collection"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)  # always 1
    uuid: Mapped[str] = mapped_column(
        Text
    )  # new when emptied: copies of the old content no longer fit
    contract: Mapped[str] = mapped_column(Text)  # JSON of `Contract.to_dict`
    generation: Mapped[int] = mapped_column(Integer)  # one more per commit
    removals_from: Mapped[int] = mapped_column(Integer)  # removals up to this generation are pruned
    created: Mapped[str] = mapped_column(Text)  # ISO 8601, UTC


class RootRow(Base):
    """A path the user asked to index."""

    __tablename__ = "roots"

    path: Mapped[bytes] = mapped_column(BLOB, primary_key=True)  # os.fsencode


class FileRow(Base):
    """A file as it was when last read."""

    __tablename__ = "files"
    __table_args__ = {"sqlite_autoincrement": True}

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    path: Mapped[bytes] = mapped_column(
        BLOB, unique=True
    )  # os.fsencode of the absolute path, or `paths.upload_path` of what lies in no file
    size_bytes: Mapped[int] = mapped_column(Integer)
    mtime_ns: Mapped[int] = mapped_column(Integer)
    sha256: Mapped[bytes] = mapped_column(LargeBinary(32))


class DocumentRow(Base):
    """A document; its id survives changes and moves of its file."""

    __tablename__ = "documents"
    __table_args__ = (
        UniqueConstraint("file_id", "member"),
        Index("ix_documents_language", "language"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    file_id: Mapped[int] = mapped_column(ForeignKey("files.id", ondelete="CASCADE"))
    member: Mapped[str] = mapped_column(Text)  # "" for the whole file
    title: Mapped[str] = mapped_column(Text)
    format: Mapped[str] = mapped_column(Text)
    language: Mapped[str] = mapped_column(Text)  # stemmer of the lexical copy, "" for none
    metadata_json: Mapped[str] = mapped_column("metadata", Text)


class EmbeddingRow(Base):
    """A vector, shared by all chunks with the same contract and embedded text."""

    __tablename__ = "embeddings"
    __table_args__ = {"sqlite_autoincrement": True}

    id: Mapped[int] = mapped_column(Integer, primary_key=True)  # grows with the generation
    key: Mapped[bytes] = mapped_column(LargeBinary(32), unique=True)
    vector: Mapped[bytes] = mapped_column(BLOB)  # little-endian float16, unit length


class EmbeddingRunRow(Base):
    """From this embedding id on, vectors were made in this mode; see `provenance`."""

    __tablename__ = "embedding_runs"

    first_id: Mapped[int] = mapped_column(Integer, primary_key=True)
    mode: Mapped[str] = mapped_column(Text)  # as `Mode` writes itself, e.g. "cpu:int8"


class StagedVectorRow(Base):
    """A vector whose document is not stored yet; see `staging`."""

    __tablename__ = "staged_vectors"

    key: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    vector: Mapped[bytes] = mapped_column(BLOB)  # little-endian float16, unit length
    mode: Mapped[str] = mapped_column(Text, server_default="")  # that made it


class ChunkRow(Base):
    """A passage. A document's text is the union of its chunks by offsets, not stored twice."""

    __tablename__ = "chunks"
    __table_args__ = (
        Index("ix_chunks_document", "document_id", "ordinal"),
        Index("ix_chunks_embedding", "embedding_id"),
        Index("ix_chunks_generation", "generation"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    document_id: Mapped[int] = mapped_column(ForeignKey("documents.id", ondelete="CASCADE"))
    embedding_id: Mapped[int] = mapped_column(ForeignKey("embeddings.id"))
    generation: Mapped[int] = mapped_column(Integer)  # last change of what the lexical copy holds
    ordinal: Mapped[int] = mapped_column(Integer)
    start: Mapped[int] = mapped_column(Integer)
    end: Mapped[int] = mapped_column(Integer)
    start_line: Mapped[int] = mapped_column(Integer)
    end_line: Mapped[int] = mapped_column(Integer)
    heading: Mapped[str] = mapped_column(Text)  # JSON array, outermost first
    place: Mapped[str] = mapped_column(Text)
    content_hash: Mapped[bytes] = mapped_column(LargeBinary(32))
    text: Mapped[str] = mapped_column(Text)  # last: the columns before it are read without it


class RemovalRow(Base):
    """What one commit took away, so that copies at an older generation can follow."""

    __tablename__ = "removals"

    generation: Mapped[int] = mapped_column(Integer, primary_key=True)
    chunk_ids: Mapped[bytes] = mapped_column(BLOB)  # little-endian int64
    embedding_ids: Mapped[bytes] = mapped_column(BLOB)
