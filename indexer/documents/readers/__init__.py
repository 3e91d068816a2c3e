"""One file per family of formats, each with `parse(data, source) -> list[ParsedDocument]`."""
