import GraphIR

/// Operators that move elements or describe shapes.
enum ShapeOperators {
  static let all: [any Operator] = [
    ShapeOf(), Size(), ConstantOfShape(), NumberRange(), EyeLike(),
    Reshape(), Flatten(), Squeeze(), Unsqueeze(), Transpose(), Expand(), Tile(),
    Concat(), Split(), Slice(), Pad(), CenterCropPad(),
    DepthToSpace(), SpaceToDepth(), ReverseSequence(), Trilu(),
  ]
}

/// Operators that pick or place elements by index.
enum IndexingOperators {
  static let all: [any Operator] = [
    Gather(), GatherElements(), GatherND(), Embedding(), ScatterElements(), ScatterND(), TensorScatter(),
    OneHot(), TopK(), NonZero(), Compress(), Unique(),
  ]
}
