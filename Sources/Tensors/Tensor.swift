#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Bytes with a lifetime: owned aligned memory, or a part of something that an owner keeps alive (a mapped file).
///
/// Memory is written only while its creator holds the sole reference; afterwards it is read-only by convention,
/// which is what makes sharing across threads sound.
public final class TensorStorage: @unchecked Sendable {
  /// 64 bytes: a cache line, and the widest vector register.
  public static let alignment = 64

  public let base: UnsafeMutableRawPointer
  public let byteCount: Int
  private let owner: (any AnyObject & Sendable)?
  /// Bytes to unmap at the end; 0 when the memory came from the allocator or belongs to an owner.
  private let mappedByteCount: Int

  /// From this size on, memory comes straight from the system: zero pages that cost nothing until touched.
  private static let mappingThreshold = 1 << 20

  /// Zeroed memory aligned to ``alignment``.
  public init(byteCount: Int) {
    self.byteCount = byteCount
    owner = nil
    if byteCount >= Self.mappingThreshold {
      let mapping = mmap(nil, byteCount, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
      guard let mapping, mapping != MAP_FAILED else { fatalError("out of memory: \(byteCount) bytes") }
      base = mapping
      mappedByteCount = byteCount
      return
    }
    let size = max(1, (byteCount + Self.alignment - 1) / Self.alignment * Self.alignment)
    var pointer: UnsafeMutableRawPointer?
    guard posix_memalign(&pointer, Self.alignment, size) == 0, let pointer else {
      fatalError("out of memory: \(size) bytes")
    }
    base = pointer
    base.initializeMemory(as: UInt8.self, repeating: 0, count: size)
    mappedByteCount = 0
  }

  /// A view of memory that `owner` keeps alive. It is never written through this object.
  public init(viewing base: UnsafeRawPointer, byteCount: Int, owner: any AnyObject & Sendable) {
    self.base = UnsafeMutableRawPointer(mutating: base)
    self.byteCount = byteCount
    self.owner = owner
    mappedByteCount = 0
  }

  deinit {
    if mappedByteCount > 0 { munmap(base, mappedByteCount) } else if owner == nil { free(base) }
  }
}

/// A dense row-major tensor with concrete extents.
public struct Tensor: Sendable {
  public let element: ElementType
  public let shape: [Int]
  public let storage: TensorStorage
  /// Byte offset of the first element in `storage`.
  public let offset: Int

  public init(_ element: ElementType, _ shape: [Int], storage: TensorStorage, offset: Int = 0) {
    self.element = element
    self.shape = shape
    self.storage = storage
    self.offset = offset
    precondition(offset + byteCount <= storage.byteCount, "tensor exceeds its storage")
  }

  /// Zeros.
  public init(_ element: ElementType, _ shape: [Int]) {
    let count = shape.reduce(1, *)
    self.init(element, shape, storage: TensorStorage(byteCount: count * element.byteCount))
  }

  public var elementCount: Int { shape.reduce(1, *) }
  public var byteCount: Int { elementCount * element.byteCount }
  public var rank: Int { shape.count }
  public var base: UnsafeMutableRawPointer { storage.base + offset }
  public var type: TensorType { TensorType(element, shape.map { Dim($0) }) }
  /// The elements' memory. It lives as long as the tensor: hold on to that (`withExtendedLifetime`) while reading.
  public var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: base, count: byteCount) }

  /// The same elements under another shape of equal count.
  public func reshaped(_ shape: [Int]) -> Tensor {
    precondition(shape.reduce(1, *) == elementCount, "reshape changes the number of elements")
    return Tensor(element, shape, storage: storage, offset: offset)
  }
}

// MARK: Elements as Swift values

extension Tensor {
  /// A tensor of trivially copyable values whose size is that of `element`.
  public init<T: BitwiseCopyable>(_ element: ElementType, _ shape: [Int], values: [T]) {
    precondition(MemoryLayout<T>.stride == element.byteCount && values.count == shape.reduce(1, *))
    self.init(element, shape)
    values.withUnsafeBytes {
      base.copyMemory(from: $0.baseAddress ?? UnsafeRawPointer(base), byteCount: $0.count)
    }
  }

  /// A copy of `bytes`, which must have exactly the size of the tensor.
  public init(_ element: ElementType, _ shape: [Int], bytes: UnsafeRawBufferPointer) {
    self.init(element, shape)
    precondition(bytes.count == byteCount)
    if let source = bytes.baseAddress { base.copyMemory(from: source, byteCount: bytes.count) }
  }

  public init(f32 values: [Float], _ shape: [Int]? = nil) {
    self.init(.f32, shape ?? [values.count], values: values)
  }
  public init(i64 values: [Int], _ shape: [Int]? = nil) {
    self.init(.i64, shape ?? [values.count], values: values)
  }
  public init(i32 values: [Int32], _ shape: [Int]? = nil) {
    self.init(.i32, shape ?? [values.count], values: values)
  }
  public init(bool values: [Bool], _ shape: [Int]? = nil) {
    self.init(.bool, shape ?? [values.count], values: values.map { UInt8($0 ? 1 : 0) })
  }

  /// The elements reinterpreted as `T`, which must have the element's size.
  public func array<T: BitwiseCopyable>(of type: T.Type) -> [T] {
    precondition(MemoryLayout<T>.stride == element.byteCount)
    return Array(UnsafeBufferPointer(start: base.assumingMemoryBound(to: T.self), count: elementCount))
  }

  /// Element `index` in row-major order, exactly representable values unchanged.
  public func double(at index: Int) -> Double { NumberCoding.load(base, element, index) }

  /// All elements converted to `Double`.
  public var doubles: [Double] { (0..<elementCount).map { double(at: $0) } }

  /// All elements of an integer or boolean tensor.
  public var integers: [Int] {
    (0..<elementCount).map { index in
      switch element {
      case .i64: base.load(fromByteOffset: index * 8, as: Int.self)
      case .u64: Int(truncatingIfNeeded: base.load(fromByteOffset: index * 8, as: UInt64.self))
      default: Int(double(at: index))
      }
    }
  }
}
