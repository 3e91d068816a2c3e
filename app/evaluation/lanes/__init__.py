"""One model in one mode: what its own processes do for an evaluation."""
