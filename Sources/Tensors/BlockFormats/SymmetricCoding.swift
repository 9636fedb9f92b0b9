/// Blocks of one scale d: numbers `d (q - offset)` on a symmetric grid.
protocol SymmetricCoding: BlockCoding {
  static var grid: SymmetricGrid { get }
  static var offset: UInt8 { get }
}

extension SymmetricCoding {
  static var parameterCount: Int { 1 }

  static func fit(_ w: UnsafePointer<Float>, _ count: Int, _ tolerance: Float) -> BlockParameters? {
    grid.fit(w, count, tolerance).map { BlockParameters(first: $0) }
  }

  static func nearest(_ w: UnsafePointer<Float>, _ count: Int) -> BlockParameters {
    BlockParameters(first: grid.nearest(w, count))
  }

  static func encode(
    _ w: UnsafePointer<Float>, _ count: Int, _ p: BlockParameters, into codes: UnsafeMutablePointer<UInt8>
  ) {
    grid.encode(w, count, p.first, offset: offset, into: codes)
  }

  static func decode(
    _ codes: UnsafePointer<UInt8>, _ count: Int, _ p: BlockParameters, into w: UnsafeMutablePointer<Float>
  ) {
    grid.decode(codes, count, p.first, offset: offset, into: w)
  }
}
