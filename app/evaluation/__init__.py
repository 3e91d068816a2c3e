"""Measuring: what each mode costs on this machine."""
