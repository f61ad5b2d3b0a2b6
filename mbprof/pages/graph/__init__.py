"""A network as a graph to look at: laid out, as SVG, as a page, and as text that others draw."""
