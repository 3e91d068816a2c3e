"""A model that runs on another machine: OpenAI-compatible endpoints and TEI."""
