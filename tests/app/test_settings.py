"""Settings: which source wins, what is refused and with which words."""

import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from app.setting_sources import FOREIGN_NAMES, PREFIX
from app.settings import Settings
from indexer.errors import UsageError
from indexer.modes import Placement, Precision

NOTHING: dict[str, str] = {}


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return tmp_path / "config.toml"


def load(config: Path, flags: dict[str, object] | None = None, **environment: str) -> Settings:
    """Settings with this config file; the environment as given."""
    if not config.exists():
        config.write_text("")
    return Settings.load(flags, {"SEMSEARCH_CONFIG": str(config), **environment})


def test_flag_beats_environment_beats_file_beats_default(config: Path) -> None:
    config.write_text('model = "from-file"\nk = 3\nthreads = 2\n')
    settings = load(config, {"model": "minilm", "k": None}, SEMSEARCH_MODEL="x", SEMSEARCH_K="5")
    assert (settings.model, settings.origin("model")) == ("minilm", "flag")
    assert (settings.k, settings.origin("k")) == (5, "environment")
    assert (settings.threads, settings.origin("threads")) == (2, str(config))
    assert (settings.port, settings.origin("port")) == (8765, "default")


def test_every_setting_can_be_given_in_the_environment(config: Path) -> None:
    given = {
        "home": "/h",
        "models_folder": "/m",
        "collection": "notes",
        "model": "minilm",
        "placement": "gpu",
        "precision": "bf16",
        "engine": "torch",
        "max_vram_mib": "400",
        "max_ram_mib": "4000",
        "visible_gpus": "1,0",
        "dimension": "256",
        "threads": "4",
        "batch_tokens": "1024",
        "endpoints": "http://a:1/v1,http://b:2/v1",
        "endpoint_model": "served",
        "endpoint_key": "secret",
        "endpoint_timeout_s": "5",
        "endpoint_concurrency": "2",
        "chunk_tokens": "128",
        "max_file_mib": "1",
        "read_memory_mib": "256",
        "read_timeout_s": "1.5",
        "read_output_mib": "2",
        "target_recall": "0.95",
        "ram_budget_mib": "300",
        "prefix_dim": "256",
        "k": "7",
        "host": "localhost",
        "port": "0",
        "live_recall_share": "0.5",
        "max_body_kib": "64",
        "allowed_origins": "https://a.example, http://[::1]:3000",
        "reranker": "ms-marco-minilm-l6",
        "rerank_depth": "30",
        "reranker_endpoint": "http://c:3/rerank",
        "reranker_key": "secret",
        "queue_requests": "10",
        "queue_tokens": "1000",
        "query_cache_mib": "0",
        "redis_url": "redis://:secret@cache:6379/0",
        "redis_ttl_s": "60",
        "server": "none",
        "server_key": "secret",
        "hf_endpoint": "https://mirror.example",
        "hf_token": "secret",
        "hf_offline": "1",
    }
    assert set(given) == set(Settings.model_fields)
    environment = {FOREIGN_NAMES.get(n, PREFIX + n.upper()): v for n, v in given.items()}
    settings = load(config, **environment)
    assert {settings.origin(name) for name in given} == {"environment"}
    assert (settings.placement, settings.precision) == (Placement.GPU, Precision.BF16)
    assert (settings.dimension, settings.read_timeout_s, settings.max_body_kib) == (256, 1.5, 64)
    assert settings.allowed_origins == ("https://a.example", "http://[::1]:3000")
    assert settings.collections_folder == Path("/h/collections")


def test_hub_settings_have_our_name_too_and_it_wins(config: Path) -> None:
    environment = {"HF_ENDPOINT": "https://a.example", "SEMSEARCH_HF_ENDPOINT": "https://b.example"}
    assert load(config, **environment).hf_endpoint == "https://b.example"
    assert load(config, HF_ENDPOINT="").hf_endpoint is None


def test_empty_list_of_visible_gpus_hides_all(config: Path) -> None:
    assert load(config, CUDA_VISIBLE_DEVICES="").visible_gpus == ""
    assert load(config).visible_gpus is None


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("SEMSEARCH_K", "0", "k = '0' (from environment): Input should be greater than"),
        ("SEMSEARCH_K", "many", "k = 'many' (from environment)"),
        ("SEMSEARCH_KK", "3", "environment: there is no setting 'kk'"),
        ("SEMSEARCH_PLACEMENT", "moon", "placement = 'moon' (from environment)"),
        ("SEMSEARCH_COLLECTION", "../up", "collection = '../up' (from environment)"),
        ("SEMSEARCH_PORT", "65536", "port = '65536'"),
        ("SEMSEARCH_READ_TIMEOUT_S", "nan", "read_timeout_s = 'nan'"),
        ("SEMSEARCH_READ_TIMEOUT_S", "inf", "read_timeout_s = 'inf'"),
        ("SEMSEARCH_MAX_FILE_MIB", str(10**15), f"max_file_mib = '{10**15}'"),
        ("SEMSEARCH_READ_MEMORY_MIB", str(10**15), f"read_memory_mib = '{10**15}'"),
        ("SEMSEARCH_READ_OUTPUT_MIB", str(10**15), f"read_output_mib = '{10**15}'"),
        ("SEMSEARCH_BATCH_TOKENS", str(10**15), f"batch_tokens = '{10**15}'"),
        ("SEMSEARCH_HOME", "a\0b", "home = 'a\\x00b'"),
        ("SEMSEARCH_HOME", "~no-such-user-here/x", "home = '~no-such-user-here/x'"),
        ("SEMSEARCH_QUEUE_REQUESTS", "0", "queue_requests = '0'"),
        ("SEMSEARCH_REDIS_URL", "http://cache", "redis_url = (hidden) (from environment)"),
        ("HF_ENDPOINT", "ftp://mirror.example", "hf_endpoint = 'ftp://mirror.example'"),
    ],
)
def test_bad_value_is_refused_with_its_origin(
    config: Path, variable: str, value: str, words: str
) -> None:
    with pytest.raises(UsageError) as refused:
        load(config, **{variable: value})
    assert words in str(refused.value)


def test_bad_values_are_all_named_at_once(config: Path) -> None:
    config.write_text("k = 0\n")
    with pytest.raises(UsageError) as refused:
        load(config, {"port": -1})
    assert f"k = 0 (from {config})" in str(refused.value)
    assert "port = -1 (from flag)" in str(refused.value)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"k = ", "cannot be read as TOML"),
        (b'model = "\xff"', "cannot be read as TOML"),
        (b"colour = true", "there is no setting 'colour'"),
        (b"[search]\nk = 3", "there is no setting 'search'"),
        (b"k = [3]", "k = [3]"),
    ],
)
def test_bad_config_file_is_named(config: Path, content: bytes, words: str) -> None:
    config.write_bytes(content)
    with pytest.raises(UsageError) as refused:
        load(config)
    assert str(config) in str(refused.value)
    assert words in str(refused.value)


def test_config_file_that_was_named_must_exist(config: Path) -> None:
    with pytest.raises(UsageError, match="named by SEMSEARCH_CONFIG, but there is no such file"):
        Settings.load(None, {"SEMSEARCH_CONFIG": str(config)})


def test_config_file_lies_in_the_xdg_folder(tmp_path: Path) -> None:
    (tmp_path / "semsearch").mkdir()
    (tmp_path / "semsearch" / "config.toml").write_text("k = 4\n")
    assert Settings.load(None, {"XDG_CONFIG_HOME": str(tmp_path)}).k == 4


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="XDG folders are Linux's")
def test_folders_follow_xdg(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "home", lambda: Path("/home/ada"))
    plain = Settings.load(None, NOTHING)
    assert plain.home == Path("/home/ada/.local/share/semsearch")
    assert plain.models_folder == Path("/home/ada/.cache/semsearch/models")
    moved = Settings.load(None, {"XDG_DATA_HOME": "/data", "XDG_CACHE_HOME": "/cache"})
    assert (moved.home, moved.models_folder) == (
        Path("/data/semsearch"),
        Path("/cache/semsearch/models"),
    )


@pytest.mark.parametrize(
    ("platform", "environment", "home", "models"),
    [
        (
            *("darwin", NOTHING, "/home/ada/Library/Application Support/semsearch"),
            "/home/ada/Library/Caches/semsearch/models",
        ),
        ("win32", {"LOCALAPPDATA": "/local"}, "/local/semsearch", "/local/semsearch/models"),
        (
            *("win32", NOTHING, "/home/ada/AppData/Local/semsearch"),
            "/home/ada/AppData/Local/semsearch/models",
        ),
    ],
)
def test_folders_are_the_platforms_own(
    monkeypatch: pytest.MonkeyPatch,
    platform: str,
    environment: dict[str, str],
    home: str,
    models: str,
) -> None:
    monkeypatch.setattr(Path, "home", lambda: Path("/home/ada"))
    monkeypatch.setattr(sys, "platform", platform)
    settings = Settings.load(None, environment)
    assert (settings.home, settings.models_folder) == (Path(home), Path(models))


def test_folder_with_a_tilde_is_the_users_home(
    config: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """No shell expands it in a config file or after `--home=`: a folder named ~ was made."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    config.write_text('home = "~/notes"\n')
    settings = load(config, SEMSEARCH_MODELS_FOLDER="~/models")
    assert (settings.home, settings.models_folder) == (tmp_path / "notes", tmp_path / "models")


def test_secret_is_never_shown(config: Path) -> None:
    settings = load(config, HF_TOKEN="hf_very_secret")
    assert settings.hf_token is not None
    assert settings.hf_token.get_secret_value() == "hf_very_secret"
    for text in (repr(settings), str(settings), str(settings.shown("hf_token"))):
        assert "very_secret" not in text
    with pytest.raises(UsageError) as refused:
        load(config, {"hf_token": 17})
    assert "17" not in str(refused.value)


def test_password_of_redis_is_never_shown(config: Path) -> None:
    settings = load(config, SEMSEARCH_REDIS_URL="rediss://me:pass-word@cache/0")
    assert settings.redis_url is not None
    assert settings.redis_url.get_secret_value() == "rediss://me:pass-word@cache/0"
    assert "pass-word" not in f"{settings!r} {settings.shown('redis_url')}"
    with pytest.raises(UsageError, match="an address like redis://") as refused:
        load(config, SEMSEARCH_REDIS_URL="https://me:pass-word@cache/0")
    assert "pass-word" not in str(refused.value)


def test_settings_do_not_change() -> None:
    settings = Settings.load(None, NOTHING)
    with pytest.raises(ValidationError, match="frozen"):
        settings.k = 3  # type: ignore[misc]


@pytest.mark.parametrize("name", ["default", "a", "A-1_b.c", "0", "x" * 100])
def test_collection_folder_of_a_good_name(config: Path, name: str) -> None:
    settings = load(config, SEMSEARCH_HOME="/h")
    assert settings.collection_folder(name) == Path("/h/collections") / name


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "/etc", "a b", "x" * 101, "a\n", "\udcff"])
def test_collection_folder_of_a_bad_name_is_refused(config: Path, name: str) -> None:
    with pytest.raises(UsageError, match="no collection name"):
        load(config).collection_folder(name)
