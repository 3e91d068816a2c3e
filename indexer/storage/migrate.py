"""Brings a catalog to the schema this code knows, from a wheel or a checkout."""

from pathlib import Path

from sqlalchemy import Connection, inspect, text

from indexer.errors import StoreError, TooNewError
from indexer.storage.tables import REVISIONS


def migrations_folder() -> Path:
    """The Alembic folder: in the package (wheel) or beside it (checkout, editable install).

    Raises:
        StoreError: neither is there; the installation is incomplete.
    """
    here = Path(__file__).resolve()
    packaged, checkout = here.parent / "migrations", here.parents[2] / "alembic"
    for folder in (packaged, checkout):
        if (folder / "env.py").is_file() and (folder / "versions").is_dir():
            return folder
    raise StoreError(f"no migrations in {packaged} or {checkout}: reinstall semsearch.")


def schema_revision(connection: Connection) -> str | None:
    """The revision the catalog stands at; None for an empty database."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    value = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return None if value is None else str(value)


def check_revision(connection: Connection, folder: Path) -> str | None:
    """The revision, if this code knows it.

    Raises:
        TooNewError: it is none of `REVISIONS`.
    """
    revision = schema_revision(connection)
    if revision is not None and revision not in REVISIONS:
        raise TooNewError(
            f"{folder}: written by a newer semsearch (schema {revision}; this one knows up to "
            f"{REVISIONS[-1]}). Upgrade with: pip install --upgrade semsearch"
        )
    return revision


def migrate(connection: Connection, folder: Path) -> None:
    """Create or upgrade the schema inside the caller's transaction.

    Raises:
        TooNewError: the schema is newer than this code.
    """
    if check_revision(connection, folder) == REVISIONS[-1]:
        return
    # Imported here: 0.2 s that a reader and an unchanged writer do not need.
    from alembic.config import Config

    from alembic import command

    config = Config()
    config.set_main_option("script_location", str(migrations_folder()).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
