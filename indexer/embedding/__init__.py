"""Models: specs, download, tokenising, batching, runtimes."""
