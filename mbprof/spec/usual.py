"""The settings that networks are usually published at: widths, resolutions, numbers of classes."""

from __future__ import annotations

ALPHAS = (0.1, 0.25, 0.35, 0.5, 0.6, 0.75, 0.8, 1.0, 1.1, 1.2, 1.25, 1.3, 1.4, 1.5, 2.0)
"""All width multipliers that a number is looked for at."""
RELEASED_ALPHAS = (0.25, 0.35, 0.5, 0.75, 1.0, 1.3, 1.4)
"""Those of the released MobileNets V1 and V2, which a design is checked at."""
FEW_ALPHAS = (1.0, 0.75, 0.5)
"""Those that are drawn of a network without a published series."""

SIDES = (96, 128, 160, 192, 224, 240, 256, 260, 280, 288, 299, 300, 320, 331, 380, 384, 416, 448)
"""The resolutions of classifiers that a number is looked for at."""
MORE_SIDES = (
    *(28, 32, 64, 112, 144, 176, 208, 227, 272, 304, 336, 352, 400, 408, 456, 475, 480, 512, 513),
    *(518, 528, 560, 576, 600, 608, 640, 672, 768, 800, 896, 1024, 1280),
)
"""Those of small images, of detectors, of segmentation and of a few classifiers."""
FEW_SIDES = (224, 192, 160, 128)
"""Those that are drawn of a network without a published series."""

CLASSES = (1000, 1001)
"""Of ImageNet, and with one for the background."""
MORE_CLASSES = (1, 2, 10, 21, 80, 91, 100, 102, 200, 365, 21841, 21843)
"""Of one output, CIFAR, Pascal VOC, COCO, Flowers, Tiny ImageNet, Places and ImageNet-21k."""
