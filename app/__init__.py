"""What people and programs touch: settings, command line, HTTP, search."""
