"""Ways of running a model; imported only when chosen."""
