"""Programming languages by file name."""

import os
import re

_SUFFIXES = {
    "python": "py pyi pyw",
    "javascript": "js mjs cjs jsx",
    "typescript": "ts mts cts",
    "tsx": "tsx",
    "c": "c h",
    "cpp": "cc cpp cxx c++ hh hpp hxx h++ ipp inl cu cuh",
    "go": "go",
    "java": "java",
    "rust": "rs",
    "csharp": "cs",
    "ruby": "rb rake gemspec",
    "php": "php",
    "swift": "swift",
    "kotlin": "kt kts",
    "scala": "scala sc",
    "lua": "lua",
    "perl": "pl pm",
    "r": "r",
    "julia": "jl",
    "haskell": "hs",
    "ocaml": "ml mli",
    "elixir": "ex exs",
    "erlang": "erl hrl",
    "clojure": "clj cljs cljc edn",
    "lisp": "lisp el scm rkt",
    "dart": "dart",
    "zig": "zig",
    "nim": "nim",
    "fortran": "f f90 f95 f03",
    "pascal": "pas pp",
    "assembly": "asm s",
    "shell": "sh bash zsh fish ksh",
    "powershell": "ps1 psm1",
    "batch": "bat cmd",
    "sql": "sql",
    "graphql": "graphql gql",
    "protobuf": "proto",
    "css": "css scss sass less",
    "vue": "vue",
    "svelte": "svelte",
    "yaml": "yml yaml",
    "toml": "toml",
    "ini": "ini cfg conf properties editorconfig",
    "cmake": "cmake",
    "make": "mk mak",
    "terraform": "tf tfvars",
    "nix": "nix",
    "diff": "diff patch",
}
_BY_SUFFIX = {f".{suffix}": name for name, line in _SUFFIXES.items() for suffix in line.split()}
_BY_NAME = {
    "makefile": "make",
    "gnumakefile": "make",
    "dockerfile": "docker",
    "containerfile": "docker",
    "cmakelists.txt": "cmake",
    "rakefile": "ruby",
    "gemfile": "ruby",
    "vagrantfile": "ruby",
    "jenkinsfile": "groovy",
    "justfile": "make",
}
_SHEBANG = re.compile(rb"#![^\n]*?/(?:env\s+(?:-S\s+)?)?(\w+)[\d.]*(?:\s|$)")
_BY_INTERPRETER = {
    b"python": "python",
    b"sh": "shell",
    b"bash": "shell",
    b"zsh": "shell",
    b"dash": "shell",
    b"node": "javascript",
    b"ruby": "ruby",
    b"perl": "perl",
    b"php": "php",
    b"lua": "lua",
    b"Rscript": "r",
}
NAMES = frozenset([*_SUFFIXES, *_BY_NAME.values(), *_BY_INTERPRETER.values()])


def by_name(name: str, data: bytes) -> str | None:
    """The language of a file, by its name or its `#!` line; None for other files."""
    lower = name.lower()
    known = _BY_NAME.get(lower) or _BY_SUFFIX.get(os.path.splitext(lower)[1])
    if known or not data.startswith(b"#!"):
        return known
    match = _SHEBANG.match(data[:200])
    if match is None:
        return None
    return _BY_INTERPRETER.get(match[1].rstrip(b"0123456789"))


def by_word(word: str) -> str | None:
    """The language that goes by this name, file suffix or file name, in lower case."""
    return word if word in NAMES else _BY_SUFFIX.get(f".{word}") or _BY_NAME.get(word)
