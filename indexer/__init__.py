"""The engine: files in, index out. Knows no web, no terminal and no environment."""
