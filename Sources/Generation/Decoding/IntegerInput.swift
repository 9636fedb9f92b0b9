import Tensors

/// Memory for an input of shape `[1, count]`, made once for the largest count.
struct IntegerInput {
  let capacity: Int
  private let element: ElementType
  private let storage: TensorStorage

  init(_ port: DecoderPorts.Input, capacity: Int) {
    self.capacity = capacity
    element = port.element
    storage = TensorStorage(byteCount: capacity * port.element.byteCount)
  }

  subscript(index: Int) -> Int {
    get {
      element == .i64
        ? storage.base.load(fromByteOffset: index * 8, as: Int.self)
        : Int(storage.base.load(fromByteOffset: index * 4, as: Int32.self))
    }
    nonmutating set {
      if element == .i64 {
        storage.base.storeBytes(of: newValue, toByteOffset: index * 8, as: Int.self)
      } else {
        storage.base.storeBytes(
          of: Int32(truncatingIfNeeded: newValue), toByteOffset: index * 4, as: Int32.self)
      }
    }
  }

  /// The first `count` numbers, in memory that lives as long as this.
  func view(_ count: Int) -> TensorView { view(0, count) }

  /// `count` numbers from a place on.
  func view(_ start: Int, _ count: Int) -> TensorView {
    TensorView(storage.base + start * element.byteCount, element, Extents(1, count))
  }
}
