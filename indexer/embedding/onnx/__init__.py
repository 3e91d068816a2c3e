"""ONNX graphs built from checkpoints: the fast way to run a model on a CPU, without torch."""
