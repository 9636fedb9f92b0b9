import GraphIR
import ONNXFormat
import Tensors

/// Reads declared shapes.
struct DimReader {
  let symbols: SymbolSource

  /// Starts fresh symbols after every `u7`-like name that the model uses itself.
  init(avoiding model: ONNXModel) {
    var next = 0
    let infos = model.graph.inputs + model.graph.outputs + model.graph.valueInfos
    for info in infos {
      guard case .tensor(_, let shape?) = info.type else { continue }
      for case .parameter(let text) in shape {
        for name in Self.dim(text)?.symbols ?? [] where name.hasPrefix("u") {
          if let number = Int(name.dropFirst()), number >= next, number < 1 << 40 { next = number + 1 }
        }
      }
    }
    symbols = SymbolSource(startingAt: next)
  }

  /// A declared parameter: an expression like `past + seq`, or any other text as one symbol; nil when it says nothing.
  static func dim(_ text: String) -> Dim? {
    guard let dim = Dim(parsing: text) else {
      // Back quotes delimit such symbols in text.
      return Dim(text.split(separator: "`", omittingEmptySubsequences: false).joined(separator: "'"))
    }
    if let constant = dim.constant { return constant < 0 ? nil : dim }
    return dim
  }

  /// One declared extent, nil when unknown.
  static func dim(_ declared: ONNXDim) -> Dim? {
    switch declared {
    case .value(let extent): extent < 0 ? nil : Dim(extent)
    case .parameter(let text): dim(text)
    case .unknown: nil
    }
  }

  /// The type of a graph input; unknown extents get fresh symbols.
  ///
  /// - Throws: ``ImportError`` when it is no tensor, has an element type without a counterpart, or no known rank.
  func inputType(_ info: ONNXValueInfo) throws(ImportError) -> TensorType {
    let place = "input '\(info.name)'"
    guard case .tensor(let dataType, let shape) = info.type else {
      throw .unsupported("is \(Self.word(for: info.type)), accepted are dense tensors", at: place)
    }
    guard let element = dataType.element else {
      throw .unsupported(
        "has element type \(dataType), accepted are numbers of 2 to 64 bits and BOOL", at: place)
    }
    guard let shape else { throw .unsupported("has no shape, accepted are inputs of known rank", at: place) }
    guard shape.count <= Extents.maximumRank else {
      throw .unsupported(
        "has rank \(shape.count), accepted are at most \(Extents.maximumRank) axes", at: place)
    }
    return TensorType(element, shape.map { Self.dim($0) ?? symbols.next() })
  }

  private static func word(for type: ONNXType) -> String {
    switch type {
    case .tensor: "a tensor"
    case .sparseTensor: "a sparse tensor"
    case .sequence: "a sequence"
    case .optional: "an optional"
    case .map: "a map"
    case .opaque: "an opaque value"
    case .none: "of no declared type"
    }
  }
}
