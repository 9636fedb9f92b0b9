// Sources of ONNXFormat follow.
