"""Endpoints in the settings: lists, secrets, and what naming one means for the placement."""

from pathlib import Path

import pytest

from app.settings import Settings
from indexer.errors import UsageError
from indexer.modes import Placement

ONE = "http://gpu:30000/v1"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "config.toml"
    path.write_text("")
    return path


def load(config: Path, flags: dict[str, object] | None = None, **environment: str) -> Settings:
    return Settings.load(flags, {"SEMSEARCH_CONFIG": str(config), **environment})


def test_several_endpoints_come_with_commas_or_as_a_list(config: Path) -> None:
    wanted = (ONE, "http://other:1/v1")
    assert load(config, SEMSEARCH_ENDPOINTS=f"{ONE}, http://other:1/v1,").endpoints == wanted
    assert load(config, {"endpoints": list(wanted)}).endpoints == wanted
    config.write_text(f'endpoints = ["{ONE}", "http://other:1/v1"]\n')
    settings = load(config)
    assert settings.endpoints == wanted
    assert settings.shown("endpoints") == f"{ONE}, http://other:1/v1"


def test_no_endpoints_are_shown_as_nothing(config: Path) -> None:
    assert load(config).shown("endpoints") is None


def test_endpoint_key_is_never_shown(config: Path) -> None:
    settings = load(config, SEMSEARCH_ENDPOINT_KEY="sk-secret")
    assert settings.endpoint_key is not None
    assert settings.endpoint_key.get_secret_value() == "sk-secret"
    assert "sk-secret" not in f"{settings!r} {settings.shown('endpoint_key')}"


@pytest.mark.parametrize("name", ["SEMSEARCH_ENDPOINTS", "SEMSEARCH_ENDPOINT_KEY"])
def test_refused_values_that_may_hold_a_secret_are_hidden(config: Path, name: str) -> None:
    wrong = {"SEMSEARCH_ENDPOINTS": "http://me:sk-secret@gpu/v1"}
    if name == "SEMSEARCH_ENDPOINT_KEY":
        config.write_text("endpoint_key = [1234567]\n")
        wrong = {}
    with pytest.raises(UsageError, match=r"\(hidden\)") as refused:
        load(config, **wrong)
    assert "sk-secret" not in str(refused.value)
    assert "1234567" not in str(refused.value)


@pytest.mark.parametrize(
    ("file", "environment", "flags", "remote"),
    [
        ("", {}, {}, False),
        ("", {}, {"placement": "remote"}, True),  # without an endpoint: refused when it is opened
        ("", {}, {"endpoints": [ONE]}, True),
        ("", {"SEMSEARCH_ENDPOINTS": ONE}, {}, True),
        ("", {"SEMSEARCH_ENDPOINTS": ONE}, {"placement": "cpu"}, False),
        ("", {"SEMSEARCH_ENDPOINTS": ONE, "SEMSEARCH_PLACEMENT": "cpu"}, {}, False),
        ('placement = "cpu"', {}, {"endpoints": [ONE]}, True),
        ("", {"SEMSEARCH_PLACEMENT": "gpu"}, {"endpoints": [ONE]}, True),
        ("", {}, {"endpoints": [ONE], "placement": "remote"}, True),
    ],
)
def test_naming_an_endpoint_means_remote_unless_a_placement_says_otherwise(
    config: Path,
    file: str,
    environment: dict[str, str],
    flags: dict[str, object],
    remote: bool,
) -> None:
    config.write_text(file)
    assert load(config, flags, **environment).runs_remote is remote


def test_endpoint_and_other_placement_on_one_command_line_are_refused(config: Path) -> None:
    with pytest.raises(UsageError, match="--endpoint goes with placement remote, not with"):
        load(config, {"endpoints": [ONE], "placement": Placement.CPU})
