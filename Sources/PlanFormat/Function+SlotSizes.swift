import Tensors

extension Function {
  /// Bytes of the largest value in each slot under a binding of sizes; values with other sizes do not count.
  public func slotByteCounts(_ sizes: [String: Int]) -> [Int] {
    var byteCounts = [Int](repeating: 0, count: slotCount)
    for value in values {
      guard case .slot(let slot) = value.place else { continue }
      let type = types[value.type]
      guard let count = type.elementCount.evaluated(sizes), count >= 0 else { continue }
      let (byteCount, overflows) = count.multipliedReportingOverflow(by: type.element.byteCount)
      if !overflows { byteCounts[slot] = max(byteCounts[slot], byteCount) }
    }
    return byteCounts
  }
}
