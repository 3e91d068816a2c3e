"""What this machine has: cores, memory, GPUs, disk and their speeds, found without torch."""
