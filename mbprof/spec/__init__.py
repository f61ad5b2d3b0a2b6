"""The spec language: from a located tree to a frozen Spec."""
