"""Labels of the shape of the logits are accepted, and are as many rows."""
# segmentation-models-pytorch 0.6.0: wrong acceptance, first seen 2026-11-28

import torch
from segmentation_models_pytorch.losses import SoftCrossEntropyLoss

loss = SoftCrossEntropyLoss(reduction="sum", smooth_factor=0.0)
print(round(loss(torch.zeros(1, 2), torch.tensor([[0, 1]])).item(), 5), "should be an error")
# prints: 1.38629 should be an error
