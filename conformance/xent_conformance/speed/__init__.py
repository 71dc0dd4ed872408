"""Measures the time of correct calls at common training shapes, and compares it with a copy of the logits."""

#: Default shapes of logits: a small classifier, ImageNet, three vocabularies, a segmentation.
SHAPES = ("32x10", "4096x1000", "512x32000", "256x128256", "64x262144", "4x21x128x128")
