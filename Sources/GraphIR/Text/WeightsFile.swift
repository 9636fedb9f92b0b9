public import Tensors

/// The tensors beside a text: what `blob(i)` stands for.
///
///     offset  bytes
///          0  8      "TNDMWTS1"
///          8  8      number of tensors
///         16  ...    per tensor: element type (16, ASCII, zeros behind), rank, offset, extents (8 each)
///        ...  ...    the tensors, each aligned to 64 bytes
///
/// Numbers are little-endian. A file is mapped when it is read: tensors are views of it.
public enum WeightsFile {
  private static let magic = Array("TNDMWTS1".utf8)
  private static let nameByteCount = 16
  /// Larger ranks are taken for damage.
  private static let maximumRank = 64

  /// Writes a file that replaces an older one only when it is complete.
  public static func write(_ tensors: [Tensor], to path: String) throws(FileError) {
    let file = try FileReplacement(path)
    let indexByteCount = tensors.reduce(16) { $0 + nameByteCount + 16 + 8 * $1.rank }
    var index = magic
    append(tensors.count, to: &index)
    var offset = aligned(indexByteCount)
    for tensor in tensors {
      let name = Array(tensor.element.rawValue.utf8)
      index += name + [UInt8](repeating: 0, count: nameByteCount - name.count)
      append(tensor.rank, to: &index)
      append(offset, to: &index)
      for extent in tensor.shape { append(extent, to: &index) }
      offset = aligned(offset + tensor.byteCount)
    }
    try file.write(index)
    for tensor in tensors {
      try file.pad(to: TensorStorage.alignment)
      try file.write(tensor.bytes)
    }
    try file.commit()
  }

  private static func append(_ value: Int, to bytes: inout [UInt8]) {
    for shift in 0..<8 { bytes.append(UInt8(truncatingIfNeeded: value >> (8 * shift))) }
  }

  private static func aligned(_ offset: Int) -> Int {
    (offset + TensorStorage.alignment - 1) / TensorStorage.alignment * TensorStorage.alignment
  }

  /// Maps a file.
  ///
  /// - Throws: ``FileError`` when it cannot be mapped or is no weights file.
  public static func read(_ path: String) throws(FileError) -> [Tensor] {
    let file = try MappedFile(path)
    var cursor = Cursor(file: file)
    guard try cursor.bytes(8).elementsEqual(magic) else {
      throw cursor.error("it does not begin with 'TNDMWTS1'")
    }
    let count = try cursor.integer()
    guard count <= file.bytes.count / (nameByteCount + 16) else { throw cursor.error("it is cut off") }
    var tensors: [Tensor] = []
    for number in 0..<count { tensors.append(try tensor(number, &cursor)) }
    return tensors
  }

  private static func tensor(_ number: Int, _ cursor: inout Cursor) throws(FileError) -> Tensor {
    let name = String(decoding: try cursor.bytes(nameByteCount).prefix { $0 != 0 }, as: UTF8.self)
    guard let element = ElementType(rawValue: name) else {
      throw cursor.error("tensor \(number) has the unknown element type '\(name)'")
    }
    let rank = try cursor.integer()
    guard rank <= maximumRank else { throw cursor.error("tensor \(number) has rank \(rank)") }
    let offset = try cursor.integer()
    var shape: [Int] = []
    for _ in 0..<rank { shape.append(try cursor.integer()) }
    guard let elementCount = SyntaxParser.elementCount(shape), offset % TensorStorage.alignment == 0,
      let storage = cursor.file.storage(offset: offset, byteCount: elementCount * element.byteCount)
    else { throw cursor.error("tensor \(number), \(element)\(shape), does not lie in the file") }
    return Tensor(element, shape, storage: storage)
  }
}

/// Reads the index of a weights file.
private struct Cursor {
  let file: MappedFile
  var offset = 0

  func error(_ message: String) -> FileError {
    FileError(path: file.path, doing: "read as a weights file", message: message)
  }

  mutating func bytes(_ count: Int) throws(FileError) -> Slice<UnsafeRawBufferPointer> {
    guard count <= file.bytes.count - offset else { throw error("it is cut off") }
    defer { offset += count }
    return file.bytes[offset..<offset + count]
  }

  /// A number that is not negative.
  mutating func integer() throws(FileError) -> Int {
    let value = try bytes(8).reversed().reduce(0) { $0 << 8 | UInt64($1) }
    guard let integer = Int(exactly: value) else { throw error("the index holds \(value)") }
    return integer
  }
}
