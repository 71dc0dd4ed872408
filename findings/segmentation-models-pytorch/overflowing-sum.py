"""Without smoothing too the sum of all log-probabilities is multiplied by zero: where it overflows float16, nan."""
# segmentation-models-pytorch 0.6.0: wrong number, first seen 2026-11-28

import torch
from segmentation_models_pytorch.losses import SoftCrossEntropyLoss

logits = torch.zeros(1, 7357, dtype=torch.float16)
loss = SoftCrossEntropyLoss(smooth_factor=0.0)(logits, torch.tensor([0]))
print("loss:", loss.item(), "should be log(7357) = 8.9")
# prints: loss: nan should be log(7357) = 8.9
