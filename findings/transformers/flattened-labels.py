"""Labels of any shape are accepted where their number fits: they are flattened."""
# transformers 5.24.0: wrong acceptance, first seen 2026-11-28

import torch
from transformers.loss.loss_utils import ForCausalLMLoss

logits, labels = torch.arange(12.0).reshape(2, 2, 3), torch.tensor([[0, 1], [2, 0]])
for shape in ((2, 2), (1, 4), (4, 1)):
    loss = ForCausalLMLoss(logits, None, 3, shift_labels=labels.reshape(shape))
    print(shape, round(loss.item(), 5))
# prints: (2, 2) 1.65761
# prints: (1, 4) 1.65761
# prints: (4, 1) 1.65761
