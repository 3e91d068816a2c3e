"""A reranker on another machine: TEI, vLLM, SGLang, Jina, Cohere and what speaks like them."""
