"""The FAISS copy of the catalog's vectors: exact while small, IVF when large.

`index.VectorIndex` answers, `sync.sync_vectors` keeps the files, `build` makes the IVF part.
"""
