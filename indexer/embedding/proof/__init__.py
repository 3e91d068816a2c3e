"""A runtime must prove itself before its vectors are stored or searched with."""
