"""Modules of PyTorch to drafts."""
