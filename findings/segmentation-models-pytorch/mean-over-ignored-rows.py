"""The mean counts ignored rows in its divisor; torch.nn.CrossEntropyLoss, which it is said to replace, does not."""
# segmentation-models-pytorch 0.6.0: wrong number, first seen 2026-11-28

import torch
from segmentation_models_pytorch.losses import SoftCrossEntropyLoss

logits, labels = torch.zeros(2, 3), torch.tensor([0, -100])
print("mean:", round(SoftCrossEntropyLoss(smooth_factor=0.0)(logits, labels).item(), 5), end=", ")
print("should be", round(torch.nn.CrossEntropyLoss()(logits, labels).item(), 5))
# prints: mean: 0.54931, should be 1.09861
