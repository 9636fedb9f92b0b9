/// The hash of the section's tables; part of the format.
enum ByteHash {
  private static let multiplier: UInt64 = 0x9E37_79B9_7F4A_7C15

  /// A hash of `bytes` whose high bits are well mixed.
  static func hash(_ bytes: UnsafeBufferPointer<UInt8>) -> UInt64 {
    let raw = UnsafeRawBufferPointer(bytes)
    var hash = UInt64(raw.count) &* multiplier
    var offset = 0
    while offset + 8 <= raw.count {
      hash = mix(hash ^ UInt64(littleEndian: raw.loadUnaligned(fromByteOffset: offset, as: UInt64.self)))
      offset += 8
    }
    var tail: UInt64 = 0
    while offset < raw.count {
      tail = tail << 8 | UInt64(raw[offset])
      offset += 1
    }
    return mix(hash ^ tail)
  }

  @inline(__always) static func mix(_ value: UInt64) -> UInt64 {
    let product = (value ^ value >> 32) &* multiplier
    return (product ^ product >> 29) &* multiplier
  }

  /// The slot of a table with `capacity` slots where the search for `hash` starts.
  @inline(__always) static func slot(_ hash: UInt64, capacity: Int) -> Int {
    Int(truncatingIfNeeded: hash.multipliedFullWidth(by: UInt64(capacity)).high)
  }
}
