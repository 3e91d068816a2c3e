"""The collection on disk: catalog, vectors, lexical index, the one writer."""
