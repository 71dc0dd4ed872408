"""A gap between logits that overflows float32 is multiplied by a weight of zero: nan for a finite loss."""
# onnxruntime 1.32.0: wrong number, first seen 2026-11-26

import numpy as np
import onnx
import onnxruntime

inputs = [
    onnx.helper.make_tensor_value_info("x", 1, [1, 2]),
    onnx.helper.make_tensor_value_info("y", 7, [1]),
    onnx.helper.make_tensor_value_info("w", 1, [2]),
]
node = onnx.helper.make_node("SoftmaxCrossEntropyLoss", ["x", "y", "w"], ["loss"], reduction="sum")
graph = onnx.helper.make_graph([node], "loss", inputs, [onnx.helper.make_tensor_value_info("loss", 1, [])])
model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 13)], ir_version=8)
session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
x, w = np.array([[-3e38, 3e38]], np.float32), np.array([0, 1], np.float32)
print("loss:", session.run(None, {"x": x, "y": np.array([0]), "w": w})[0], "should be 0")
# prints: loss: nan should be 0
