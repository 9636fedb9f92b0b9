import Crypto
public import Tensors

/// A plan file, mapped: the program is decoded, weights and tokenizer are used in place.
public final class PlanFile: Sendable {
  public let path: String
  public let sections: [PlanLayout.Section]
  public let program: Program
  private let file: MappedFile

  /// Maps a plan and checks its header and program; checksums of the other sections are left to ``verify()``.
  ///
  /// - Throws: ``PlanError`` when the file is missing, no plan, of another version, truncated or corrupt.
  public init(path: String) throws(PlanError) {
    self.path = path
    do throws(FileError) {
      file = try MappedFile(path)
    } catch {
      throw PlanError(path: path, error.message)
    }
    sections = try Self.readSections(file)
    guard let section = sections.first(where: { $0.kind == .program }) else {
      throw .corrupt(path, "the section table (no program)")
    }
    do throws(DecodingError) {
      let bytes = UnsafeRawBufferPointer(
        rebasing: file.bytes[section.offset..<section.offset + section.byteCount])
      guard Self.checksum(bytes) == section.checksum else { throw DecodingError("the program section") }
      program = try Program(decoding: bytes)
    } catch {
      throw .corrupt(path, error.part)
    }
    let weightBytes = sections.first { $0.kind == .weights }?.byteCount ?? 0
    for weight in program.weights {
      let count = weight.shape.reduce(1, *) * weight.element.byteCount
      guard count == weight.byteCount, weight.offset % PlanLayout.weightAlignment == 0,
        weight.offset <= weightBytes, count <= weightBytes - weight.offset
      else { throw .corrupt(path, "weight '\(weight.name)'") }
    }
  }

  /// Whether a file begins like a plan.
  public static func isPlan(path: String) -> Bool {
    guard let file = try? MappedFile(path) else { return false }
    return withExtendedLifetime(file) { file.bytes.starts(with: PlanLayout.magic) }
  }

  private static func readSections(_ file: MappedFile) throws(PlanError) -> [PlanLayout.Section] {
    let (bytes, path) = (file.bytes, file.path)
    guard bytes.count >= PlanLayout.headerByteCount, bytes.prefix(8).elementsEqual(PlanLayout.magic) else {
      throw .notAPlan(path)
    }
    func integer<T: FixedWidthInteger>(_ offset: Int, as type: T.Type) -> T {
      T(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: T.self))
    }
    let version = integer(8, as: UInt32.self)
    guard version == PlanLayout.version else { throw .version(path, found: version) }
    let count = Int(integer(12, as: UInt32.self))
    guard count <= PlanLayout.SectionKind.allCases.count,
      bytes.count >= PlanLayout.headerByteCount + count * PlanLayout.entryByteCount
    else { throw .truncated(path, "the section table") }
    var sections: [PlanLayout.Section] = []
    for index in 0..<count {
      let entry = PlanLayout.headerByteCount + index * PlanLayout.entryByteCount
      guard let kind = PlanLayout.SectionKind(rawValue: integer(entry, as: UInt32.self)) else {
        throw .corrupt(path, "the section table (kind \(integer(entry, as: UInt32.self)))")
      }
      let (offset, length) = (integer(entry + 8, as: UInt64.self), integer(entry + 16, as: UInt64.self))
      guard offset <= UInt64(bytes.count), length <= UInt64(bytes.count) - offset else {
        throw .truncated(path, "section '\(kind)'")
      }
      guard offset % UInt64(PlanLayout.sectionAlignment) == 0 else {
        throw .corrupt(path, "section '\(kind)'")
      }
      sections.append(
        PlanLayout.Section(
          kind: kind, offset: Int(offset), byteCount: Int(length),
          checksum: Array(bytes[entry + 24..<entry + 56])))
    }
    return sections
  }

  public var byteCount: Int { file.bytes.count }

  /// The bytes of a section and what keeps them alive, or nil when the plan has none of that kind.
  public func section(_ kind: PlanLayout.SectionKind) -> TensorStorage? {
    sections.first { $0.kind == kind }.flatMap { file.storage(offset: $0.offset, byteCount: $0.byteCount) }
  }

  /// A weight as a tensor in the mapping.
  public func tensor(_ weight: Weight) -> Tensor {
    let base = sections.first { $0.kind == .weights }?.offset ?? 0
    let storage = file.storage(offset: base + weight.offset, byteCount: weight.byteCount)
    return Tensor(weight.element, weight.shape, storage: storage ?? TensorStorage(byteCount: 0))
  }

  private static func checksum(_ bytes: UnsafeRawBufferPointer) -> [UInt8] {
    var hash = SHA256()
    hash.update(bufferPointer: bytes)
    return Array(hash.finalize())
  }

  /// Recomputes the checksum of every section.
  ///
  /// - Throws: ``PlanError`` naming the first section that differs.
  public func verify() throws(PlanError) {
    for section in sections {
      let bytes = UnsafeRawBufferPointer(
        rebasing: file.bytes[section.offset..<section.offset + section.byteCount])
      guard Self.checksum(bytes) == section.checksum else {
        throw .checksum(path, section.kind.description)
      }
    }
  }
}
