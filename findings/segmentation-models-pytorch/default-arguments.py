"""With its default arguments every call is an error: ``smooth_factor=None`` is divided by the number of classes."""
# segmentation-models-pytorch 0.6.0: crash, first seen 2026-11-28
# not listed: the adapter passes smooth_factor=0.0
# upstream: https://github.com/qubvel-org/segmentation_models.pytorch/issues/372

import torch
from segmentation_models_pytorch.losses import SoftCrossEntropyLoss

try:
    print(SoftCrossEntropyLoss()(torch.zeros(2, 3), torch.tensor([0, 1])))
except TypeError as error:
    print(f"TypeError: {error}")
# prints: TypeError: unsupported operand type(s) for /: 'NoneType' and 'int'
