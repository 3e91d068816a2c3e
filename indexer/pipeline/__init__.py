"""Index folders: the only writer that sees both embedder and store."""
