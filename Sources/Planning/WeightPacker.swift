import Tensors

/// Collects the constants that steps need, in the layout in which they need them.
struct WeightPacker {
  /// How a constant is stored.
  enum Layout: Hashable {
    /// As the module has it: row-major.
    case dense
    /// A matrix with its two axes swapped, row-major.
    case transposed
  }

  private struct Key: Hashable {
    let base: UnsafeMutableRawPointer
    let type: TensorType
    let layout: Layout
  }

  private let constants: [String: Tensor]
  private var indices: [Key: Int] = [:]
  private(set) var weights: [(name: String, load: () -> Tensor)] = []

  init(_ constants: [String: Tensor]) { self.constants = constants }

  /// The index of a constant in the weights section; constants that are the same memory in the same layout share one.
  mutating func index(of name: String, _ layout: Layout = .dense) -> Int {
    let tensor = constants[name]!
    let key = Key(base: tensor.base, type: tensor.type, layout: layout)
    if let index = indices[key] { return index }
    let index = weights.count
    indices[key] = index
    switch layout {
    case .dense: weights.append((name, { tensor }))
    case .transposed: weights.append(("\(name).T", { Self.transposed(tensor) }))
    }
    return index
  }

  /// Swaps the axes of a matrix in blocks that fit the first-level cache.
  private static func transposed(_ tensor: Tensor) -> Tensor {
    let (rows, columns) = (tensor.shape[0], tensor.shape[1])
    let result = Tensor(tensor.element, [columns, rows])
    switch tensor.element.byteCount {
    case 8: transpose(tensor, result, rows, columns, as: UInt64.self)
    case 4: transpose(tensor, result, rows, columns, as: UInt32.self)
    case 2: transpose(tensor, result, rows, columns, as: UInt16.self)
    default: transpose(tensor, result, rows, columns, as: UInt8.self)
    }
    return result
  }

  private static func transpose<T: BitwiseCopyable>(
    _ source: Tensor, _ target: Tensor, _ rows: Int, _ columns: Int, as type: T.Type
  ) {
    let block = 32
    let from = source.base.assumingMemoryBound(to: T.self)
    let to = target.base.assumingMemoryBound(to: T.self)
    for row0 in stride(from: 0, to: rows, by: block) {
      for column0 in stride(from: 0, to: columns, by: block) {
        for row in row0..<min(row0 + block, rows) {
          for column in column0..<min(column0 + block, columns) {
            to[column &* rows &+ row] = from[row &* columns &+ column]
          }
        }
      }
    }
  }
}
