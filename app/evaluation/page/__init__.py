"""Results for people: pages, pictures and tables."""
