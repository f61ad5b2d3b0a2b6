"""Models of Keras to drafts."""
