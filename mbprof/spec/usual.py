"""The settings that networks are usually published at: widths, resolutions, numbers of classes."""

ALPHAS = (0.1, 0.25, 0.35, 0.5, 0.6, 0.75, 0.8, 1.0, 1.1, 1.2, 1.25, 1.3, 1.4, 1.5, 2.0)
"""All width multipliers that a number is looked for at."""
RELEASED_ALPHAS = (0.25, 0.35, 0.5, 0.75, 1.0, 1.3, 1.4)
"""Those of the released MobileNets V1 and V2, which a design is checked at."""
FEW_ALPHAS = (1.0, 0.75, 0.5)
"""Those that are drawn of a network without a published series."""

SIDES = (96, 128, 160, 192, 224, 240, 256, 260, 280, 288, 299, 300, 320)
"""All resolutions that a number is looked for at."""
FEW_SIDES = (224, 192, 160, 128)
"""Those that are drawn of a network without a published series."""

CLASSES = (1000, 1001)
"""Of ImageNet, and with one for the background."""
