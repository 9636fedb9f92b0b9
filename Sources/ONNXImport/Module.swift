// Sources of ONNXImport follow.
