"""Times of correct calls at shapes that people train with, beside a copy of the same bytes."""

#: Shapes of logits that people train with: a classifier, ImageNet, three vocabularies, a segmentation.
SHAPES = ("32x10", "4096x1000", "512x32000", "256x128256", "64x262144", "4x21x128x128")
