/// `w = d q`, the numbers of ``Q8B32``, as nested planes: q + 128 is split into a high nibble and a low one.
///
/// High nibbles and scales of all rows come first and are a matrix by themselves, ``Q4N32``; low nibbles
/// follow behind them. So what reads the first four bits streams 18 bytes per block and nothing else, at the
/// price of two places in memory for a row that is read alone.
///
///     q + 128 = 16 high + low          high, low in 0...15
enum Q8N32: SymmetricCoding {
  static let planes = [4, 4]
  static let planesApart = 1
  static let byteCount = 34
  static let grid = SymmetricGrid(limit: 128)
  static let offset: UInt8 = 128
}

/// `w = d (16 q - 120.5)`, q in 0...15, 32 per block: the high plane of ``Q8N32``, each number in the middle
/// of those that have its high nibble. 16 bytes of codes and d.
enum Q4N32: BlockCoding {
  static let planes = [4]
  static let parameterCount = 1
  static let byteCount = 18
  /// 128, less the middle of what a low nibble adds.
  private static let offset: Float = 120.5

  static func fit(_ w: UnsafePointer<Float>, _ count: Int, _ tolerance: Float) -> BlockParameters? {
    guard Grid.areFinite(w, count) else { return nil }
    let parameters = nearest(w, count)
    let bound = tolerance * (0..<count).reduce(0) { max($0, w[$1].magnitude) }
    return withUnsafeTemporaryAllocation(of: UInt8.self, capacity: count) { codes in
      withUnsafeTemporaryAllocation(of: Float.self, capacity: count) { numbers in
        encode(w, count, parameters, into: codes.baseAddress!)
        decode(codes.baseAddress!, count, parameters, into: numbers.baseAddress!)
        return (0..<count).allSatisfy { (numbers[$0] - w[$0]).magnitude <= bound } ? parameters : nil
      }
    }
  }

  /// Those of the whole codes.
  static func nearest(_ w: UnsafePointer<Float>, _ count: Int) -> BlockParameters {
    Q8N32.fit(w, count, BlockFormat.rounding) ?? Q8N32.nearest(w, count)
  }

  static func encode(
    _ w: UnsafePointer<Float>, _ count: Int, _ p: BlockParameters, into codes: UnsafeMutablePointer<UInt8>
  ) {
    Q8N32.encode(w, count, p, into: codes)
    for i in 0..<count { codes[i] &>>= 4 }
  }

  static func decode(
    _ codes: UnsafePointer<UInt8>, _ count: Int, _ p: BlockParameters, into w: UnsafeMutablePointer<Float>
  ) {
    let scale = Float(p.first)
    for i in 0..<count { w[i] = scale * (16 * Float(codes[i]) - offset) }
  }
}
