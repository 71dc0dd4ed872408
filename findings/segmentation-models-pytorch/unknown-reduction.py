"""A reduction that does not exist is accepted, and is none."""
# segmentation-models-pytorch 0.6.0: wrong acceptance, first seen 2026-11-28

import torch
from segmentation_models_pytorch.losses import SoftCrossEntropyLoss

loss = SoftCrossEntropyLoss(reduction="banana", smooth_factor=0.0)
print(tuple(loss(torch.zeros(2, 3), torch.tensor([0, 1])).shape), "should be an error")
# prints: (2, 1) should be an error
