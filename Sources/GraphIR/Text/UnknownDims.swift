import Tensors

/// Sizes that only running can tell: the symbols `u0`, `u1`, ... of a ``SymbolSource``.
enum UnknownDims {
  /// The number of such a symbol.
  static func number(_ symbol: String) -> Int? {
    guard symbol.utf8.first == UInt8(ascii: "u") else { return nil }
    let digits = symbol.dropFirst()
    guard !digits.isEmpty, digits.utf8.allSatisfy(Spelling.isDigit) else { return nil }
    return Int(digits)
  }

  static func contains(_ dim: Dim) -> Bool { dim.symbols.contains { number($0) != nil } }

  /// Whether two types describe the same value: equal, or unequal only in sizes of which one is unknown.
  static func agree(_ a: TensorType, _ b: TensorType) -> Bool {
    a.element == b.element && a.rank == b.rank
      && zip(a.shape, b.shape).allSatisfy { $0 == $1 || contains($0) || contains($1) }
  }

  /// The first number that no symbol of the types has.
  static func next(after types: [TensorType]) -> Int {
    let symbols = types.flatMap { $0.shape.flatMap(\.symbols) }
    return (symbols.compactMap(number).filter { $0 < Int.max }.max() ?? -1) + 1
  }
}

extension SymbolSource {
  /// Makes symbols that no value of a module has.
  public convenience init(unusedIn module: Module) {
    let types = module.functions.flatMap { function in
      function.graph.values.map { value in
        TensorType(value.type.element, value.type.shape + (value.content ?? []))
      }
    }
    self.init(startingAt: UnknownDims.next(after: types))
  }
}
