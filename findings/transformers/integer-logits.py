"""Logits that are integers or booleans are accepted: they are converted to float32."""
# transformers 5.24.0: wrong acceptance, first seen 2026-11-28

import torch
from transformers.loss.loss_utils import ForCausalLMLoss

for dtype in (torch.int8, torch.bool):
    loss = ForCausalLMLoss(torch.tensor([[3, 0]]).to(dtype), None, 2, shift_labels=torch.tensor([0]))
    print(dtype, round(loss.item(), 5), "should be an error")
# prints: torch.int8 0.04859 should be an error
# prints: torch.bool 0.31326 should be an error
