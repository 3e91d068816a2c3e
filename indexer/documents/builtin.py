"""Names left out without being told: what no one searches for, or what cannot be read."""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


FOLDERS = _words("""
    .git .hg .svn .bzr CVS _darcs .jj
    node_modules bower_components jspm_packages .pnpm-store .yarn
    __pycache__ .venv venv .virtualenv site-packages .eggs .tox .nox .direnv .conda
    .mypy_cache .pytest_cache .ruff_cache .hypothesis .ipynb_checkpoints .cache .gradle .terraform
    .idea .vs .next .nuxt .svelte-kit .parcel-cache .sass-cache .dart_tool .bundle .semsearch
    $RECYCLE.BIN .Trash .Trashes .Spotlight-V100 .fseventsd .DocumentRevisions-V100
""")

FILES = _words("""
    .git .DS_Store Thumbs.db desktop.ini .gitignore .semsearchignore .gitattributes .gitmodules
    package-lock.json yarn.lock pnpm-lock.yaml uv.lock poetry.lock Pipfile.lock Cargo.lock go.sum
    composer.lock Gemfile.lock flake.lock
""")

# A search page must not answer with a password.
SECRETS = _words("""
    .env .netrc .pgpass .htpasswd .git-credentials id_rsa id_dsa id_ecdsa id_ed25519
""")
SECRET_SUFFIXES = _words(".pem .p12 .pfx .jks .keystore .kdbx .gpg .asc")

_KINDS = {
    "an image": """png jpg jpeg gif bmp tif tiff webp ico icns heic heif avif psd xcf cr2 nef
        dng svg svgz eps ai emf wmf""",
    "a recording": "mp3 wav flac ogg oga opus m4a aac wma aiff mid midi",
    "a film": "mp4 m4v mkv mov avi webm wmv flv mpg mpeg 3gp",
    "an archive": """zip gz tgz bz2 xz zst lz4 7z rar tar cab iso dmg jar war whl egg deb rpm apk
        msi""",
    "a program": "exe dll so dylib a o class pyc pyo pyd wasm elf bin",
    "a font": "ttf otf woff woff2 eot",
    "a database": "sqlite sqlite3 db mdb accdb dbf",
    "data for programs": """npy npz pkl pickle h5 hdf5 parquet arrow feather onnx safetensors pt
        pth ckpt gguf faiss mat rds rdata sav blend stl glb fbx""",
    "a link to a web page": "url webloc lnk",
}
KIND_OF_SUFFIX = {f".{suffix}": kind for kind, line in _KINDS.items() for suffix in line.split()}

# Office formats that need the program they came from.
CONVERT = {
    ".doc": ("a Word 97 document", "Save it as .docx"),
    ".dot": ("a Word 97 template", "Save it as .docx"),
    ".xls": ("an Excel 97 workbook", "Save it as .xlsx"),
    ".xlsb": ("a binary Excel workbook", "Save it as .xlsx"),
    ".ppt": ("a PowerPoint 97 presentation", "Save it as .pptx"),
    ".msg": ("an Outlook message", "Save it as .eml"),
    ".pst": ("an Outlook mailbox", "Export the mails as .eml or .mbox"),
    ".pages": ("an Apple Pages document", "Export it as .docx or PDF"),
    ".numbers": ("an Apple Numbers sheet", "Export it as .xlsx"),
    ".key": ("an Apple Keynote presentation", "Export it as .pptx or PDF"),
    ".wpd": ("a WordPerfect document", "Save it as .docx"),
    ".rtf": ("a rich text file", "Save it as .docx or .odt"),
    ".mobi": ("a Kindle book", "Convert it to .epub"),
    ".azw3": ("a Kindle book", "Convert it to .epub"),
    ".djvu": ("a DjVu document", "Convert it to PDF"),
    ".ps": ("a PostScript file", "Convert it to PDF"),
    ".chm": ("a Windows help file", "Convert it to HTML"),
    ".one": ("a OneNote section", "Export it as .docx or PDF"),
}


def unreadable_kind(suffix: str) -> str | None:
    """What a file with this suffix (lower case, with its dot) is and what to do, if unreadable."""
    if suffix in CONVERT:
        what, advice = CONVERT[suffix]
        return f"{what}, which cannot be read. {advice} to index it."
    kind = KIND_OF_SUFFIX.get(suffix)
    return f"{kind} ({suffix})" if kind else None
