"""Bug reports to which requirements of several families refer."""

from __future__ import annotations

COMBINATIONS = [
    "https://github.com/pytorch/pytorch/issues/69339",
    "https://github.com/pytorch/pytorch/issues/72056",
    "https://github.com/tracel-ai/burn/issues/5568",
]
SHARES = ["https://github.com/linkedin/Liger-Kernel/pull/420", "https://github.com/PFCCLab/PaddleAPITest/pull/478"]
OFFSETS = [
    "https://github.com/pytorch/pytorch/issues/190139",
    "https://github.com/Dao-AILab/flash-attention/issues/714",
    "https://github.com/pytorch/pytorch/issues/84144",
]
CLASS_COUNTS = [
    "https://github.com/verl-project/verl/issues/2899",
    "https://github.com/verl-project/verl/pull/5349",
    "https://github.com/pytorch/pytorch/issues/147284",
    "https://github.com/apple/ml-cross-entropy/pull/59",
    "https://github.com/pytorch/pytorch/pull/182867",
]
ROW_COUNTS = [
    "https://github.com/pytorch/pytorch/issues/111484",
    "https://github.com/pytorch/pytorch/issues/85791",
    "https://github.com/Dao-AILab/flash-attention/issues/714",
]
EQUAL_LOGITS = [
    "https://github.com/pytorch/executorch/pull/20090",
    "https://github.com/google-research/last/pull/43",
    "https://github.com/pytorch/pytorch/issues/147284",
]
LARGE_LOGITS = [
    "https://github.com/Oneflow-Inc/oneflow/issues/3137",
    "https://github.com/ggml-org/ggml/pull/929",
    "https://github.com/keras-team/keras/issues/17634",
    "https://github.com/tensorflow/tensorflow/issues/21271",
]
