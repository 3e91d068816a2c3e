"""Names of the files that make up a prepared graph."""

GRAPH_NAME = "model.onnx"
WEIGHTS_NAME = "model.weights"
