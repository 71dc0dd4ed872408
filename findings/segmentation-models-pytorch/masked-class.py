"""A class that is masked with -inf makes the loss nan: its log-probability is multiplied by a smoothing of zero."""
# segmentation-models-pytorch 0.6.0: wrong number, first seen 2026-11-28

import torch
from segmentation_models_pytorch.losses import SoftCrossEntropyLoss

loss = SoftCrossEntropyLoss(smooth_factor=0.0)(torch.tensor([[0.0, -torch.inf]]), torch.tensor([0]))
print("loss:", loss.item(), "should be 0.0")
# prints: loss: nan should be 0.0
