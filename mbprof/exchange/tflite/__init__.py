"""TensorFlow Lite files to drafts."""
