"""Which chunks a search may find: conditions on documents as bitmaps, before k is taken."""
