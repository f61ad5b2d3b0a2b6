"""Networks from and to other formats: ONNX, TensorFlow Lite, PyTorch and Keras."""
