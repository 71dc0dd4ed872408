"""Fewer labels than rows are accepted: the kernel reads behind the end of their memory, and the process may die."""
# liger-kernel 0.8.5: memory, first seen 2026-11-28

import os

os.environ["TRITON_INTERPRET"] = "1"
import torch
from liger_kernel.transformers.functional import liger_cross_entropy

# Labels of two rows, of which the call is given the first: the second does not belong to it.
memory = torch.tensor([0, 1])
for second in (0, 1):
    memory[1] = second
    loss = liger_cross_entropy(torch.tensor([[0.0, 1.0], [0.0, 1.0]]), memory[:1], reduction="none")
    print(f"{second} behind the label:", [round(value, 5) for value in loss.tolist()], "should be an error")
# prints: 0 behind the label: [1.31326, 1.31326] should be an error
# prints: 1 behind the label: [1.31326, 0.31326] should be an error
