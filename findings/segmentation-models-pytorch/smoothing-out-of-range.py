"""A ``smooth_factor`` below 0 or above 1 is accepted."""
# segmentation-models-pytorch 0.6.0: wrong acceptance, first seen 2026-11-28

import torch
from segmentation_models_pytorch.losses import SoftCrossEntropyLoss

for smoothing in (-0.5, 2.0):
    loss = SoftCrossEntropyLoss(smooth_factor=smoothing)
    print(smoothing, round(loss(torch.tensor([[9.0, 0.0]]), torch.tensor([0])).item(), 5), "should be an error")
# prints: -0.5 -2.24988 should be an error
# prints: 2.0 9.00012 should be an error
