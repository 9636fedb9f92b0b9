import Tensors

/// The memory of one cache: room for `capacity` positions, of which `length` are filled.
struct StateMemory {
  /// The axis along which runs append.
  let axis: Int
  let storage: TensorStorage
  let element: ElementType
  /// Extents of the whole buffer; the appended axis has the capacity.
  private let buffer: Extents
  var length = 0

  /// - Parameter shape: extents of the input; the appended axis is replaced by the capacity.
  init(_ element: ElementType, shape: [Int], axis: Int, capacity: Int) {
    var extents = Extents(shape)
    extents[axis] = capacity
    self.axis = axis
    self.element = element
    buffer = extents
    storage = TensorStorage(byteCount: extents.product * element.byteCount)
  }

  var capacity: Int { buffer[axis] }

  /// The filled part.
  var view: TensorView {
    var view = TensorView(storage.base, element, buffer)
    view.shape[axis] = length
    return view
  }
}
