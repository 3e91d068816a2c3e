"""Passages read together with the query: slower than vectors, and surer of what answers it."""
