"""``SoftmaxCrossEntropyLoss`` of a batch without rows is an error: its function body reshapes to (0, C, -1)."""
# onnxruntime 1.32.0: crash, first seen 2026-11-26

import numpy as np
import onnx
import onnxruntime

inputs = [onnx.helper.make_tensor_value_info("x", 1, [None, 3]), onnx.helper.make_tensor_value_info("y", 7, [None])]
node = onnx.helper.make_node("SoftmaxCrossEntropyLoss", ["x", "y"], ["loss"], reduction="sum")
graph = onnx.helper.make_graph([node], "loss", inputs, [onnx.helper.make_tensor_value_info("loss", 1, [])])
model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 13)], ir_version=8)
settings = onnxruntime.SessionOptions()
settings.log_severity_level = 4
session = onnxruntime.InferenceSession(model.SerializeToString(), settings, providers=["CPUExecutionProvider"])
try:
    print("loss:", session.run(None, {"x": np.zeros((0, 3), np.float32), "y": np.zeros(0, np.int64)})[0])
except Exception as error:  # noqa: BLE001 - its error has no class of its own
    print(type(error).__name__, "should be a loss of 0")
# prints: Fail should be a loss of 0
