import GraphIR
import ONNXFormat
import Tensors

extension GraphImporter {
  /// Gives extents that inference could not know the declared value, when the rest of the declaration agrees.
  mutating func refine(_ names: [String]) {
    for name in names {
      guard let value = scope[name], case .tensor(let dataType, let shape?)? = declared[name] else {
        continue
      }
      let type = builder.type(value)
      guard dataType.element == type.element, shape.count == type.rank else { continue }
      var replacement: [String: Dim] = [:]
      var isConsistent = true
      for (inferred, declared) in zip(type.shape, shape.map(DimReader.dim)) {
        guard let declared else { continue }
        if let x = inferred.constant, let y = declared.constant, x != y { isConsistent = false }
        guard let symbol = inferred.symbol, isFresh(symbol), declared.symbols.isSubset(of: inputSymbols)
        else { continue }
        if let other = replacement.updateValue(declared, forKey: symbol), other != declared {
          isConsistent = false
        }
      }
      guard isConsistent, !replacement.isEmpty else { continue }
      for case let other? in names.map({ scope[$0] }) {
        builder.graph[other].type = builder.type(other).substituting(replacement)
        builder.graph[other].content = builder.graph[other].content?.map { $0.substituting(replacement) }
      }
    }
  }

  /// Whether a symbol was made by inference: `u` and a number, and not an input's.
  private func isFresh(_ symbol: String) -> Bool {
    symbol.hasPrefix("u") && Int(symbol.dropFirst()) != nil && !inputSymbols.contains(symbol)
  }

  // MARK: Cache extents

  /// Operands and results that hold a cache before and after, by operator.
  private static let caches: [String: [(past: Int, present: Int)]] = [
    "attention": [(4, 1), (5, 2)], "group_query_attention": [(3, 1), (4, 2)],
    "multi_head_attention": [(6, 1), (7, 2)],
  ]

  /// Some exporters give the caches' head count or size a name only (`kv_cache_dim`). Past and present
  /// `[batch, heads, positions, size]` differ in the positions alone, so what is inferred for one holds for both.
  mutating func learnCacheExtents(_ mnemonic: String, operands: [ValueID?], results: [ValueID?]) {
    for cache in Self.caches[mnemonic] ?? []
    where cache.past < operands.count && cache.present < results.count {
      guard let past = operands[cache.past], let present = results[cache.present] else { continue }
      let (before, after) = (builder.type(past).shape, builder.type(present).shape)
      guard before.count == 4, after.count == 4 else { continue }
      for axis in [1, 3] {
        guard let symbol = before[axis].symbol, inputSymbols.contains(symbol), after[axis].constant != nil
        else { continue }
        if extents[symbol] == nil { extents[symbol] = after[axis] }
      }
    }
  }

  /// Puts the numbers that were learned in the place of their symbols everywhere.
  mutating func substituteExtents() {
    guard !extents.isEmpty else { return }
    for index in builder.graph.values.indices {
      let id = ValueID(index)
      builder.graph[id].type = builder.graph[id].type.substituting(extents)
      builder.graph[id].content = builder.graph[id].content?.map { $0.substituting(extents) }
    }
  }
}
