"""One model for all who ask: what waits is embedded together, questions first."""
