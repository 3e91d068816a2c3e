"""Keys of the HTTP service: made, kept as hashes, recognised."""
