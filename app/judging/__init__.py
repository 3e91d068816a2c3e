"""What people said of documents: which of them answer a query."""
