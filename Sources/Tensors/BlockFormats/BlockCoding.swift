/// A format of blocks of 32 weights: codes of a few bits, and one or two f16 parameters per block.
///
/// Codes are bytes here; `decode` gives them their meaning.
protocol BlockCoding {
  /// Widths in bits of the planes that a code is split into, low bits first.
  static var planes: [Int] { get }
  /// How many of them, the first ones, lie behind all rows of a matrix.
  static var planesApart: Int { get }
  /// f16 numbers per block.
  static var parameterCount: Int { get }
  /// Bytes of a block, all in all.
  static var byteCount: Int { get }

  /// The parameters of a grid that holds `count` (1...32) numbers, each within `tolerance` times the largest
  /// magnitude; nil when there is none.
  static func fit(_ w: UnsafePointer<Float>, _ count: Int, _ tolerance: Float) -> BlockParameters?
  /// The parameters of a grid near finite numbers.
  static func nearest(_ w: UnsafePointer<Float>, _ count: Int) -> BlockParameters
  /// The nearest codes of `count` numbers.
  static func encode(
    _ w: UnsafePointer<Float>, _ count: Int, _ parameters: BlockParameters,
    into codes: UnsafeMutablePointer<UInt8>)
  static func decode(
    _ codes: UnsafePointer<UInt8>, _ count: Int, _ parameters: BlockParameters,
    into w: UnsafeMutablePointer<Float>)
}

extension BlockCoding {
  static var planesApart: Int { 0 }

  /// Bytes of a block that lie behind all rows of a matrix.
  static var byteCountApart: Int { byteCount(of: 0..<planesApart) }

  /// Bytes of a block in some planes.
  static func byteCount(of places: Range<Int>) -> Int {
    var bits = 0
    for index in places { bits += planes[index] }
    return bits * BlockFormat.blockSize / 8
  }
}

/// What a block stores beside its codes.
struct BlockParameters: Equatable {
  var first: Float16
  var second: Float16 = 0
}

/// A row of blocks: how codes and parameters lie in memory.
///
/// The row is cut into chunks of 8 blocks, and the rest into at most one chunk of 4, one of 2 and one of 1.
/// In a chunk of m blocks numbers lie in pieces of four, the first piece of each block, then the second piece
/// of each, ...:
///
///     place of number e of block b = (e / 4 * m + b) * 4 + e % 4
///
/// so that each 32-bit lane of a vector of 32 bytes holds numbers of one block only. A plane of w bits of a
/// chunk of n codes takes B = n w / 8 bytes; byte i holds those of places i, i + B, i + 2 B, ..., the first
/// in the low bits.
///
///     planes of chunk 0, planes of chunk 1, ..., parameters of chunk 0, of chunk 1, ...
///
/// The parameters of a chunk are the first ones of its m blocks, then the second ones. Numbers past the end
/// of the row have code 0; activations are zero there.
///
/// Planes that lie apart are left out of this and follow behind all rows of the matrix, row by row, those of
/// chunk 0, of chunk 1, ...
struct BlockRow {
  /// Where a row lies: what is together, and what lies apart.
  struct Place {
    let bytes: UnsafeRawPointer, apart: UnsafeRawPointer
  }

  static let blockSize = BlockFormat.blockSize
  static let chunkBlocks = 8

  private let coding: any BlockCoding.Type
  private let columns: Int
  private let blocks: Int
  /// Of a block, together and apart.
  private let codeBytes: Int, apartBytes: Int

  init(_ coding: any BlockCoding.Type, columns: Int) {
    self.coding = coding
    self.columns = columns
    blocks = Self.blockCount(columns)
    codeBytes = coding.byteCount(of: coding.planesApart..<coding.planes.count)
    apartBytes = coding.byteCountApart
  }

  static func blockCount(_ columns: Int) -> Int { (columns + blockSize - 1) / blockSize }

  /// Calls `body` with the first block of each chunk and their number.
  private func forEachChunk(_ body: (_ first: Int, _ count: Int) -> Void) {
    var first = 0
    while first < blocks {
      let left = blocks - first
      let count = left >= Self.chunkBlocks ? Self.chunkBlocks : left >= 4 ? 4 : left >= 2 ? 2 : 1
      body(first, count)
      first += count
    }
  }

  /// - Parameter place: zeros, to be written.
  func encode(_ row: UnsafePointer<Float>, into place: Place) {
    withCodes { codes, block in
      forEachChunk { first, count in
        let parameters = UnsafeMutableRawPointer(mutating: self.parameters(place, first))
        codes.update(repeating: 0)
        for b in 0..<count {
          let start = (first + b) * Self.blockSize
          let (w, size) = (row + start, min(Self.blockSize, columns - start))
          let p = coding.fit(w, size, BlockFormat.rounding) ?? coding.nearest(w, size)
          coding.encode(w, size, p, into: block)
          for e in 0..<size { codes[Self.place(e, b, count)] = block[e] }
          parameters.storeBytes(of: p.first, toByteOffset: b * 2, as: Float16.self)
          if coding.parameterCount > 1 {
            parameters.storeBytes(of: p.second, toByteOffset: (count + b) * 2, as: Float16.self)
          }
        }
        store(codes, first, count, place)
      }
    }
  }

  /// - Parameter isOffset: every code is taken as 0.
  func decode(
    _ place: Place, into row: UnsafeMutablePointer<Float>, isOffset: Bool = false
  ) {
    forEachBlock(of: place, isOffset: isOffset) { index, codes, parameters in
      let start = index * Self.blockSize
      coding.decode(codes, min(Self.blockSize, columns - start), parameters, into: row + start)
    }
  }

  /// Calls `body` with the codes of each block in order, and its parameters.
  ///
  /// - Parameter isOffset: every code is taken as 0.
  func forEachBlock(
    of place: Place, isOffset: Bool = false,
    _ body: (_ index: Int, _ codes: UnsafePointer<UInt8>, _ parameters: BlockParameters) -> Void
  ) {
    withCodes { codes, block in
      forEachChunk { first, count in
        if !isOffset { load(codes, first, count, place) }
        let parameters = parameters(place, first)
        for b in 0..<count {
          var p = BlockParameters(first: parameters.loadUnaligned(fromByteOffset: b * 2, as: Float16.self))
          if coding.parameterCount > 1 {
            p.second = parameters.loadUnaligned(fromByteOffset: (count + b) * 2, as: Float16.self)
          }
          for e in 0..<Self.blockSize { block[e] = codes[Self.place(e, b, count)] }
          body(first + b, block, p)
        }
      }
    }
  }

  @inline(__always)
  private static func place(_ e: Int, _ b: Int, _ count: Int) -> Int { (e / 4 * count + b) * 4 + e % 4 }

  /// Room for the codes of a chunk by place, and for those of a block in order.
  private func withCodes(
    _ body: (_ codes: UnsafeMutableBufferPointer<UInt8>, _ block: UnsafeMutablePointer<UInt8>) -> Void
  ) {
    let count = Self.chunkBlocks * Self.blockSize
    withUnsafeTemporaryAllocation(of: UInt8.self, capacity: count + Self.blockSize) { codes in
      codes.initialize(repeating: 0)
      body(UnsafeMutableBufferPointer(rebasing: codes[..<count]), codes.baseAddress! + count)
    }
  }

  /// The parameters of the chunk that begins with a block.
  private func parameters(_ place: Place, _ first: Int) -> UnsafeRawPointer {
    place.bytes + blocks * codeBytes + first * coding.parameterCount * 2
  }

  /// Splits the codes of a chunk into planes.
  private func store(
    _ codes: UnsafeMutableBufferPointer<UInt8>, _ first: Int, _ count: Int, _ place: Place
  ) {
    forEachPlane(first, count, place) { plane, size, width, shift in
      let plane = UnsafeMutablePointer(mutating: plane)
      let mask = UInt8((1 << width) - 1)
      for field in 0..<8 / width {
        for i in 0..<size {
          plane[i] |= (codes[field * size + i] &>> UInt8(shift) & mask) &<< UInt8(field * width)
        }
      }
    }
  }

  private func load(
    _ codes: UnsafeMutableBufferPointer<UInt8>, _ first: Int, _ count: Int, _ place: Place
  ) {
    codes.update(repeating: 0)
    forEachPlane(first, count, place) { plane, size, width, shift in
      let mask = UInt8((1 << width) - 1)
      for field in 0..<8 / width {
        for i in 0..<size {
          codes[field * size + i] |= (plane[i] &>> UInt8(field * width) & mask) &<< UInt8(shift)
        }
      }
    }
  }

  /// Calls `body` with the planes of the chunk of `count` blocks that begins with block `first`.
  private func forEachPlane(
    _ first: Int, _ count: Int, _ place: Place,
    _ body: (_ plane: UnsafePointer<UInt8>, _ size: Int, _ width: Int, _ shift: Int) -> Void
  ) {
    var (plane, shift) = (place.apart + first * apartBytes, 0)
    let widths = coding.planes
    for index in widths.indices {
      if index == coding.planesApart { plane = place.bytes + first * codeBytes }
      let width = widths[index]
      let size = count * Self.blockSize * width / 8
      body(plane.assumingMemoryBound(to: UInt8.self), size, width, shift)
      plane += size
      shift += width
    }
  }
}
