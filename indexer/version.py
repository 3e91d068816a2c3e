"""The version, read by the build and by `semsearch --version`; CHANGELOG.md names the same."""

__version__ = "0.1.0"
