"""In float64 a row with a nan among its logits has a finite, even negative loss: LogSoftmax passes over the nan."""
# onnxruntime 1.32.0: wrong number, first seen 2026-11-26

import numpy as np
import onnx
import onnxruntime

for kind, dtype in ((1, np.float32), (11, np.float64)):
    inputs = [
        onnx.helper.make_tensor_value_info("x", kind, [None, 3]),
        onnx.helper.make_tensor_value_info("y", 7, [None]),
    ]
    node = onnx.helper.make_node("SoftmaxCrossEntropyLoss", ["x", "y"], ["loss"], reduction="sum")
    graph = onnx.helper.make_graph([node], "loss", inputs, [onnx.helper.make_tensor_value_info("loss", kind, [])])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 13)], ir_version=8)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    x = np.array([[0, 0, 0], [np.nan, 0, 0]], dtype)
    print(dtype.__name__, session.run(None, {"x": x, "y": np.array([0, 2])})[0], "should be nan")
# prints: float32 nan should be nan
# prints: float64 -44.95308960294729 should be nan
