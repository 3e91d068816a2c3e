"""How good rankings are: measures, runs, and how far two of them agree."""
