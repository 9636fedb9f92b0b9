import Crypto
public import Tensors

/// Writes a plan file: weights as they come, then the program. The file appears under its name when it is complete.
public final class PlanWriter {
  private let file: FileReplacement
  private var sections: [PlanLayout.Section] = []

  /// - Throws: ``FileError`` when the folder cannot be written.
  public init(path: String) throws(FileError) {
    file = try FileReplacement(path)
    let sectionCount = PlanLayout.SectionKind.allCases.count
    let header = PlanLayout.headerByteCount + sectionCount * PlanLayout.entryByteCount
    try file.write([UInt8](repeating: 0, count: header))
  }

  /// Writes a program's tensors. Equal ones become one weight: exporters may store a matrix twice, as it is and
  /// transposed, which shows only when both are evaluated.
  ///
  /// - Parameters:
  ///   - tensors: name and content by the indices that values of the program have; loaded in order, one at a time.
  ///   - progress: called with the bytes written so far.
  /// - Throws: ``FileError``, or what loading a tensor throws.
  public func writeWeights<LoadError: Error>(
    _ tensors: [(name: String, load: () throws(LoadError) -> Tensor)], of program: inout Program,
    progress: (Int) -> Void = { _ in }
  ) throws {
    var hash = SHA256()
    let start = try beginSection()
    var weights: [Weight] = []
    var places: [Int] = []
    var known: [WeightFingerprint: [Int]] = [:]
    for (name, load) in tensors {
      let tensor = try load()
      let fingerprint = WeightFingerprint(tensor)
      let equal = try known[fingerprint]?.first { index in
        try withExtendedLifetime(tensor) { () throws(FileError) in
          try file.holds(tensor.bytes, at: start + weights[index].offset)
        }
      }
      places.append(equal ?? weights.count)
      guard equal == nil else { continue }
      known[fingerprint, default: []].append(weights.count)
      let padding = [UInt8](repeating: 0, count: paddingByteCount(file.offset - start))
      hash.update(data: padding)
      try file.write(padding)
      weights.append(
        Weight(
          name: name, element: tensor.element, shape: tensor.shape, offset: file.offset - start,
          byteCount: tensor.byteCount))
      try withExtendedLifetime(tensor) { () throws(FileError) in
        hash.update(bufferPointer: tensor.bytes)
        try file.write(tensor.bytes)
      }
      progress(file.offset - start)
    }
    endSection(.weights, start, hash)
    program.weights = weights
    program.moveWeights(to: places)
  }

  private func paddingByteCount(_ offset: Int) -> Int {
    (PlanLayout.weightAlignment - offset % PlanLayout.weightAlignment) % PlanLayout.weightAlignment
  }

  public func writeTokenizer(_ bytes: [UInt8]) throws(FileError) { try write(.tokenizer, bytes) }

  /// Writes the program, completes the file and gives it its name.
  public func finish(_ program: Program) throws(FileError) {
    try write(.program, program.encoded())
    var header = PlanLayout.magic
    header.append(littleEndian: PlanLayout.version)
    header.append(littleEndian: UInt32(sections.count))
    for section in sections {
      header.append(littleEndian: section.kind.rawValue)
      header.append(littleEndian: UInt32(0))
      header.append(littleEndian: UInt64(section.offset))
      header.append(littleEndian: UInt64(section.byteCount))
      header += section.checksum
    }
    try file.overwrite(header, at: 0)
    try file.commit()
  }

  private func write(_ kind: PlanLayout.SectionKind, _ bytes: [UInt8]) throws(FileError) {
    let start = try beginSection()
    var hash = SHA256()
    hash.update(data: bytes)
    try file.write(bytes)
    endSection(kind, start, hash)
  }

  private func beginSection() throws(FileError) -> Int {
    try file.pad(to: PlanLayout.sectionAlignment)
    return file.offset
  }

  private func endSection(_ kind: PlanLayout.SectionKind, _ start: Int, _ hash: SHA256) {
    sections.append(
      PlanLayout.Section(
        kind: kind, offset: start, byteCount: file.offset - start, checksum: Array(hash.finalize())))
  }
}

extension [UInt8] {
  fileprivate mutating func append<T: FixedWidthInteger>(littleEndian value: T) {
    Swift.withUnsafeBytes(of: value.littleEndian) { append(contentsOf: $0) }
  }
}
