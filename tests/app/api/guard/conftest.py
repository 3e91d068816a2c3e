"""A service that asks for keys, and one that does not, over the shared collection."""

from collections.abc import Iterator

import pytest

from app.api.application import create_app
from app.keys.key import Scope
from app.keys.store import KeyStore
from app.settings import Settings
from guarded_service import Guarded, make_home
from tests_support import Indexed, clean_environment


@pytest.fixture(scope="module")
def guarded(indexed: Indexed, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    home = make_home(tmp_path_factory.mktemp("guarded") / "home", indexed)
    store = KeyStore(home)
    secrets = {scope: store.create(scope, {scope}, None)[1] for scope in Scope}
    secrets["notes"] = store.create("notes", {Scope.SEARCH, Scope.WRITE}, {"notes"})[1]
    with clean_environment(home):
        settings = Settings.load(flags={"allowed_origins": "https://friend.example"})
        app = create_app(settings)
    yield Guarded(app, home, secrets)
    app.state.semsearch.collections.close()


@pytest.fixture(scope="module")
def open_app(indexed: Indexed, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    """The same without keys."""
    home = make_home(tmp_path_factory.mktemp("open") / "home", indexed)
    with clean_environment(home):
        app = create_app(Settings.load(flags={"max_body_kib": 64}))
    yield Guarded(app, home, {})
    app.state.semsearch.collections.close()
