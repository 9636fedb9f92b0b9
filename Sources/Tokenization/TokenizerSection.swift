/// A tokenizer's compact form: a header and aligned parts that are used where they lie.
///
///     0   magic          u64
///     8   version        u32
///     12  part count     u32
///     16  byte count     u64   of the whole section
///     24  parts          (offset u64, byte count u64) each, in the order of ``Part``
///
/// All integers are little-endian, every part starts at a multiple of 8.
struct TokenizerSection: @unchecked Sendable {  // read-only bytes, which the tokenizer's owner keeps alive
  /// The parts, in the order of their table entries.
  enum Part: Int, CaseIterable {
    /// `u32` per token and one more: where its text starts in `tokenText`.
    case tokenOffsets
    /// UTF-8 of all tokens, by id.
    case tokenText
    /// `u8` per token: ``Vocabulary/Flags``.
    case tokenFlags
    /// `u32` per slot, id + 1 or 0: open addressing by ``ByteHash`` of the text.
    case tokenSlots
    /// `i32` per scalar below 0x800: the token of that character, or -1.
    case scalarTokens
    /// `u64` pair, then `u64` rank and result, per slot: see ``MergeTable``.
    case mergeSlots
    /// Added tokens matched in the text as it comes: see ``AddedTokenIndex``.
    case rawAddedTokens
    /// Added tokens matched in normalized text.
    case normalizedAddedTokens
    /// The ``Pipeline``.
    case pipeline
  }

  static let magic: UInt64 = 0x4B4F_546D_6564_6E54
  static let version: UInt32 = 1
  static let headerByteCount = 24 + 16 * Part.allCases.count
  static let alignment = 8

  let bytes: UnsafeRawBufferPointer
  private let ranges: [Range<Int>]

  /// - Throws: ``TokenizationError`` when the header does not describe `bytes`.
  init(_ bytes: UnsafeRawBufferPointer) throws(TokenizationError) {
    guard bytes.count >= Self.headerByteCount else { throw .corruptSection("it is shorter than its header") }
    guard Int(bitPattern: bytes.baseAddress) % Self.alignment == 0 else {
      throw .corruptSection("it is not aligned to \(Self.alignment) bytes")
    }
    var reader = ByteReader(bytes)
    guard try reader.read(UInt64.self) == Self.magic else {
      throw .corruptSection("it has another magic number")
    }
    let version = try reader.read(UInt32.self)
    guard version == Self.version else {
      throw .corruptSection("it has version \(version); accepted: \(Self.version)")
    }
    guard try reader.read(UInt32.self) == Part.allCases.count else {
      throw .corruptSection("wrong number of parts")
    }
    guard try reader.read(UInt64.self) == bytes.count else { throw .corruptSection("it has another length") }
    var ranges: [Range<Int>] = []
    for _ in Part.allCases {
      let (offset, count) = (try reader.read(UInt64.self), try reader.read(UInt64.self))
      guard offset <= bytes.count, count <= UInt64(bytes.count) - offset, offset % UInt64(Self.alignment) == 0
      else {
        throw .corruptSection("a part lies outside of it")
      }
      ranges.append(Int(offset)..<Int(offset + count))
    }
    (self.bytes, self.ranges) = (bytes, ranges)
  }

  subscript(part: Part) -> UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(rebasing: bytes[ranges[part.rawValue]])
  }

  /// A part as an array.
  func array<T: BitwiseCopyable>(_ part: Part, of type: T.Type) throws(TokenizationError)
    -> UnsafeBufferPointer<T>
  {
    let raw = self[part]
    guard raw.count % MemoryLayout<T>.stride == 0 else { throw .corruptSection("a part has a ragged end") }
    return raw.assumingMemoryBound(to: T.self)
  }

  /// The section made of `parts`.
  static func assemble(_ parts: [Part: [UInt8]]) -> [UInt8] {
    var offset = headerByteCount
    var table = ByteWriter()
    var body = ByteWriter()
    for part in Part.allCases {
      let content = parts[part, default: []]
      table.write(UInt64(offset))
      table.write(UInt64(content.count))
      body.append(content)
      body.pad(to: alignment)
      offset = headerByteCount + body.bytes.count
    }
    var header = ByteWriter()
    header.write(magic)
    header.write(version)
    header.write(UInt32(Part.allCases.count))
    header.write(UInt64(offset))
    return header.bytes + table.bytes + body.bytes
  }
}
