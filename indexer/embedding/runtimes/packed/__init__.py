"""Qwen3 over packed tokens: one forward pass, wherever its layers' weights come from."""
