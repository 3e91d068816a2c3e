"""Which mode a model should run in: predicted memory and speed of each, and one recommended."""
