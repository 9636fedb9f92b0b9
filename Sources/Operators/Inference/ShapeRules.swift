import GraphIR
import Tensors

/// Shape rules that several operators share.
enum ShapeRules {
  /// Multidirectional broadcasting over symbolic dims.
  ///
  /// An unknown dim against an integer above 1 is that integer; two different symbols are taken to be equal, which
  /// running checks.
  static func broadcast(_ a: [Dim], _ b: [Dim]) throws(OperatorError) -> [Dim] {
    let rank = max(a.count, b.count)
    var result: [Dim] = []
    for axis in 0..<rank {
      let x = axis < rank - a.count ? Dim(1) : a[axis - (rank - a.count)]
      let y = axis < rank - b.count ? Dim(1) : b[axis - (rank - b.count)]
      switch (x.constant, y.constant) {
      case (1, _): result.append(y)
      case (_, 1): result.append(x)
      case (let p?, let q?):
        guard p == q else {
          throw OperatorError(
            "shapes \(list(a)) and \(list(b)) do not broadcast: axis \(axis) is \(p) and \(q)")
        }
        result.append(x)
      case (_?, nil): result.append(x)
      default: result.append(y.constant != nil ? y : x)
      }
    }
    return result
  }

  /// An axis as a number in `0..<rank`; negative ones count from the back.
  static func axis(_ axis: Int, rank: Int) throws(OperatorError) -> Int {
    guard axis >= -rank, axis < rank || (rank == 0 && axis == 0) else {
      throw OperatorError("axis \(axis) is out of range, accepted are \(-rank)..<\(rank)")
    }
    return axis < 0 ? axis + rank : axis
  }

  static func list(_ shape: [Dim]) -> String { "[\(shape.map(\.description).joined(separator: ", "))]" }
}
