/// The layout of a plan file. All integers are little-endian.
///
///     0   magic "TANDEMPL"
///     8   u32 version, u32 section count
///     16  section table: per section u32 kind, u32 zero, u64 offset, u64 length, SHA-256 (32 bytes)
///         sections, each at a multiple of 4096 bytes
public enum PlanLayout {
  static let magic: [UInt8] = Array("TANDEMPL".utf8)
  static let version: UInt32 = 2
  static let headerByteCount = 16
  static let entryByteCount = 56
  /// A page: sections are used in place from the mapping.
  static let sectionAlignment = 4096
  /// A cache line, and the widest vector register.
  public static let weightAlignment = 64

  /// What a section holds.
  public enum SectionKind: UInt32, CaseIterable, Sendable, CustomStringConvertible {
    /// The protobuf message `tandem.plan.Program`.
    case program = 1
    /// Tensors, each aligned to ``weightAlignment``.
    case weights = 2
    /// The tokenizer in its compact form.
    case tokenizer = 3

    public var description: String {
      switch self {
      case .program: "program"
      case .weights: "weights"
      case .tokenizer: "tokenizer"
      }
    }
  }

  public struct Section: Sendable {
    public let kind: SectionKind
    public let offset: Int
    public let byteCount: Int
    public let checksum: [UInt8]
  }
}
