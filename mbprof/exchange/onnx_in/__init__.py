"""ONNX files to drafts."""
