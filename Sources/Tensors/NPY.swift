/// NumPy's array file: formats 1.0 to 3.0, C order, little-endian.
///
///     "\x93NUMPY" version(2) header length(2 or 4) "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 28), }" data
///
/// - Source: numpy.lib.format.
public enum NPY {
  /// A file that is no readable array.
  public struct Failure: Error, CustomStringConvertible, Sendable {
    /// What was found and what would be accepted.
    public let message: String
    public var description: String { message }
  }

  private static let magic: [UInt8] = [0x93] + Array("NUMPY".utf8)

  /// NumPy's type names; bf16 and narrower types have none there.
  private static let elements: [String: ElementType] = [
    "<f4": .f32, "<f2": .f16, "<f8": .f64, "<i8": .i64, "<i4": .i32, "<i2": .i16, "|i1": .i8, "<u8": .u64,
    "<u4": .u32, "<u2": .u16, "|u1": .u8, "|b1": .bool,
  ]

  // MARK: Reading

  /// Reads an array file. Its elements stay in the mapped file where they are aligned.
  ///
  /// - Throws: ``Failure`` naming the file: missing, no array file, Fortran order, another byte order or element
  ///   type, a size that does not match the shape.
  public static func read(_ path: String) throws(Failure) -> Tensor {
    do throws(FileError) {
      let file = try MappedFile(path)
      return try decode(
        file.storage(offset: 0, byteCount: file.bytes.count) ?? TensorStorage(byteCount: 0), path)
    } catch {
      throw Failure(message: error.description)
    }
  }

  private static func decode(_ storage: TensorStorage, _ path: String) throws(FileError) -> Tensor {
    func failure(_ message: String) -> FileError {
      FileError(path: path, doing: "read array", message: message)
    }
    let bytes = UnsafeRawBufferPointer(start: storage.base, count: storage.byteCount)
    guard bytes.count >= 10, bytes.starts(with: magic) else { throw failure("it is no .npy file") }
    let version = bytes[6]
    guard (1...3).contains(version) else {
      throw failure("format version is \(version), accepted are 1 to 3")
    }
    let start = version == 1 ? 10 : 12
    guard bytes.count >= start else { throw failure("it ends in its header") }
    let length = (8..<start).reversed().reduce(0) { $0 << 8 | Int(bytes[$1]) }
    guard length <= bytes.count - start else { throw failure("it ends in its header") }
    let header = Header(String(decoding: bytes[start..<start + length], as: UTF8.self))
    guard let descriptor = header.string("descr") else { throw failure("its header has no 'descr'") }
    guard let element = elements[descriptor] else {
      throw failure(
        "'descr' is '\(descriptor)', accepted are \(elements.keys.sorted().joined(separator: ", "))")
    }
    guard header.word("fortran_order") == "False" else {
      throw failure("elements are in Fortran order, accepted is C order")
    }
    guard let shape = header.shape else { throw failure("its header has no valid 'shape'") }
    var count = element.byteCount
    for extent in shape {
      let (product, overflow) = count.multipliedReportingOverflow(by: extent)
      guard !overflow else { throw failure("shape \(shape) is too large") }
      count = product
    }
    let offset = start + length
    guard bytes.count - offset == count else {
      throw failure("it holds \(bytes.count - offset) bytes, shape \(shape) of \(element) needs \(count)")
    }
    if UInt(bitPattern: storage.base + offset) % UInt(element.byteCount) == 0 {
      return Tensor(element, shape, storage: storage, offset: offset)
    }
    let copy = Tensor(element, shape)
    copy.base.copyMemory(from: storage.base + offset, byteCount: count)
    return copy
  }

  // MARK: Writing

  /// The file's bytes, format 1.0.
  ///
  /// - Throws: ``Failure`` for an element type that NumPy does not have.
  public static func encoded(_ tensor: Tensor) throws(Failure) -> [UInt8] {
    guard let descriptor = elements.first(where: { $0.value == tensor.element })?.key else {
      throw Failure(message: "element type \(tensor.element) has no NumPy counterpart; cast it to f32 first")
    }
    let extents = tensor.shape.map(String.init).joined(separator: ", ") + (tensor.rank == 1 ? "," : "")
    var header = "{'descr': '\(descriptor)', 'fortran_order': False, 'shape': (\(extents)), }"
    // Elements start at a multiple of 64 bytes; the header ends with a line feed.
    let padding = 63 - (10 + header.utf8.count) % 64
    header += String(repeating: " ", count: padding) + "\n"
    let length = header.utf8.count
    return magic + [1, 0, UInt8(length & 0xFF), UInt8(length >> 8)] + Array(header.utf8) + Array(tensor.bytes)
  }

  /// The header, a Python dictionary literal of three known keys.
  private struct Header {
    let text: String

    init(_ text: String) { self.text = text }

    /// What follows `'key':`, without leading blanks.
    private func value(_ key: String) -> Substring? {
      for quote in ["'", "\""] {
        guard let range = text.firstRange(of: "\(quote)\(key)\(quote)") else { continue }
        let rest = text[range.upperBound...].drop { $0 == " " }
        if rest.first == ":" { return rest.dropFirst().drop { $0 == " " } }
      }
      return nil
    }

    func string(_ key: String) -> String? {
      guard let rest = value(key), let quote = rest.first, quote == "'" || quote == "\"" else { return nil }
      return rest.dropFirst().firstIndex(of: quote).map {
        String(rest[rest.index(after: rest.startIndex)..<$0])
      }
    }

    func word(_ key: String) -> String? { value(key).map { String($0.prefix { $0.isLetter }) } }

    var shape: [Int]? {
      guard let rest = value("shape"), rest.first == "(", let end = rest.firstIndex(of: ")") else {
        return nil
      }
      let items = rest[rest.index(after: rest.startIndex)..<end].split(separator: ",")
        .map { $0.filter { $0 != " " } }.filter { !$0.isEmpty }
      let extents = items.compactMap { Int($0) }
      return extents.count == items.count && extents.allSatisfy { $0 >= 0 } ? extents : nil
    }
  }
}
