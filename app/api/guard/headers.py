"""Headers that every answer carries, unless it brings its own."""

from starlette.datastructures import MutableHeaders

# Answers are data: nothing in them may load, run, or be framed, whatever a browser takes them for.
_DATA_POLICY = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
# For the page: its own files and requests to us. No inline script or style, nothing from elsewhere,
# and no markup made from strings.
PAGE_POLICY = (
    "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)

_ALWAYS = {
    "Content-Security-Policy": _DATA_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",  # the page's address holds the query
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",  # answers are the user's own texts
}


def protect(headers: MutableHeaders) -> None:
    """Add those that are missing."""
    for name, value in _ALWAYS.items():
        headers.setdefault(name, value)
