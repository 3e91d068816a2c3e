"""What people run instead of this program: the references of `semsearch bench --compare`.

Each is written as its own documentation shows it, so that a difference in speed is one that a user
would see. They serve for comparison only: no vector of theirs reaches a collection. They live here
because torch and transformers may be imported below `indexer.embedding` alone.
"""
