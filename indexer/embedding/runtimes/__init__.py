"""Ways of running a model: the contract in `base`, one file per way, imported only when chosen."""
