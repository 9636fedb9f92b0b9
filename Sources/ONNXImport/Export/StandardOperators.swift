/// What ONNX and ONNX Runtime call the operators of the IR, for writing models.
enum StandardOperators {
  struct Name: Sendable {
    var domain: String
    var operation: String
    /// The first opset of the domain with the operator's present form, where it is above ``oldestOpset``.
    var opset: Int?
  }

  /// Models are written with this opset of the default domain, or the newest that one of their operators needs.
  static let oldestOpset = 24

  private static let newer = ["BitCast": 26, "CumProd": 26, "SwiGLU": 28]

  private static let standard = """
    Abs Acos Acosh Add And ArgMax ArgMin Asin Asinh Atan Atanh Attention BatchNormalization BitCast BitShift BitwiseAnd
    BitwiseNot BitwiseOr BitwiseXor Cast CastLike Ceil Celu CenterCropPad Clip Compress Concat ConstantOfShape Cos Cosh
    CumProd CumSum DepthToSpace DequantizeLinear Det Div Dropout DynamicQuantizeLinear Einsum Elu Equal Erf Exp Expand
    EyeLike Flatten Floor Gather GatherElements GatherND Gelu Gemm Greater GreaterOrEqual GroupNormalization HardSigmoid
    HardSwish Hardmax Identity InstanceNormalization IsInf IsNaN LRN LayerNormalization LeakyRelu Less LessOrEqual Log
    LogSoftmax LpNormalization MatMul MatMulInteger Max Mean MeanVarianceNormalization Min Mish Mod Mul Neg NonZero Not
    OneHot Or PRelu Pad Pow QLinearMatMul QuantizeLinear RMSNormalization Range Reciprocal ReduceL1 ReduceL2 ReduceLogSum
    ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum ReduceSumSquare Relu Reshape ReverseSequence
    RotaryEmbedding Round ScatterElements ScatterND Selu Shape Shrink Sigmoid Sign Sin Sinh Size Slice Softmax Softplus
    Softsign SpaceToDepth Split Sqrt Squeeze Sub Sum SwiGLU Swish Tan Tanh TensorScatter ThresholdedRelu Tile TopK
    Transpose Trilu Unique Unsqueeze Where Xor SimplifiedLayerNormalization
    """

  private static let microsoft = """
    BiasGelu FastGelu FusedMatMul GatherBlockQuantized GroupQueryAttention MatMulNBits MultiHeadAttention QuickGelu
    SkipLayerNormalization SkipSimplifiedLayerNormalization
    """

  /// By mnemonic.
  static let names: [String: Name] = {
    var names: [String: Name] = [:]
    for operation in words(standard) {
      names[Mnemonic.mnemonic(of: operation)] = Name(
        domain: "", operation: operation, opset: newer[operation])
    }
    for operation in words(microsoft) {
      names[Mnemonic.mnemonic(of: operation)] = Name(domain: "com.microsoft", operation: operation)
    }
    let rotary = Name(domain: "com.microsoft", operation: "RotaryEmbedding")
    names[Mnemonic.microsoftPrefix + "rotary_embedding"] = rotary
    return names
  }()

  private static func words(_ text: String) -> [String] { text.split { $0.isWhitespace }.map(String.init) }
}
