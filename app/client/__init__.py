"""A client of a running service. Light: nothing of what finds anything is imported."""
