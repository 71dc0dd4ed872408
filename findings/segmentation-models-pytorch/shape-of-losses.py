"""With ``reduction="none"`` the losses keep an axis of length one in place of the classes."""
# segmentation-models-pytorch 0.6.0: wrong number, first seen 2026-11-28
# not listed: the adapter does not claim reduction="none", of which every call has the wrong shape

import torch
from segmentation_models_pytorch.losses import SoftCrossEntropyLoss

logits, labels = torch.zeros(2, 3, 4), torch.zeros(2, 4, dtype=torch.int64)
print(tuple(SoftCrossEntropyLoss(reduction="none", smooth_factor=0.0)(logits, labels).shape), "should be (2, 4)")
# prints: (2, 1, 4) should be (2, 4)
