"""The MCP server: search for agents."""
