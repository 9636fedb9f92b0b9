import Tensors

extension TensorView {
  /// The address of an element, given its offset in elements.
  @inline(__always)
  func address(_ offset: Int) -> UnsafeMutableRawPointer { base + offset &* element.byteCount }

  /// `count` positions of one axis, beginning at `start`, `step` apart; a negative step walks backwards.
  func narrowed(_ axis: Int, from start: Int, count: Int, step: Int = 1) -> TensorView {
    var part = self
    if count > 0 { part.base = address(start &* strides[axis]) }
    part.shape[axis] = count
    part.strides[axis] = strides[axis] &* step
    return part
  }

  /// One position of an axis, which is dropped.
  func selecting(_ axis: Int, _ index: Int) -> TensorView {
    var part = TensorView(address(index &* strides[axis]), element, Extents(), strides: Extents())
    for other in 0..<rank where other != axis {
      part.shape.append(shape[other])
      part.strides.append(strides[other])
    }
    return part
  }

  /// The same elements in row-major order under another shape of equal count, if strides can express it.
  ///
  /// 1. Axes of extent 1 are ignored.
  /// 2. The fewest neighbouring axes of both shapes whose extents have equal products form a group.
  /// 3. Within a group the source axes must lie as one axis; the new axes divide it.
  func viewed(as newShape: Extents) -> TensorView? {
    if elementCount == 0 || isContiguous { return TensorView(base, element, newShape) }
    var (extents, steps) = (Extents(), Extents())
    for axis in 0..<rank where shape[axis] != 1 {
      extents.append(shape[axis])
      steps.append(strides[axis])
    }
    var view = TensorView(base, element, newShape)
    var (source, target) = (0, 0)
    while source < extents.count {
      var (sourceEnd, targetEnd) = (source + 1, target)
      var (sourceCount, targetCount) = (extents[source], 1)
      while targetCount != sourceCount || targetEnd == target {
        if targetCount < sourceCount || targetEnd == target {
          targetCount &*= newShape[targetEnd]
          targetEnd += 1
        } else {
          sourceCount &*= extents[sourceEnd]
          sourceEnd += 1
        }
      }
      for axis in source..<(sourceEnd - 1) where steps[axis] != steps[axis + 1] &* extents[axis + 1] {
        return nil
      }
      var step = steps[sourceEnd - 1]
      for axis in stride(from: targetEnd - 1, through: target, by: -1) {
        view.strides[axis] = step
        step &*= newShape[axis]
      }
      (source, target) = (sourceEnd, targetEnd)
    }
    return view
  }
}

extension Extents {
  /// An axis as a number in `0..<count`; negative ones count from the back.
  func axis(_ axis: Int) throws(KernelError) -> Int {
    let resolved = axis < 0 ? axis + count : axis
    guard resolved >= 0, resolved < count else {
      throw .invalid("axis \(axis) is out of range, accepted are \(-count)..<\(count)")
    }
    return resolved
  }

  /// The largest tensor that run-time values may ask for, in bytes: beyond the memory of any machine, and far
  /// from where arithmetic on places overflows.
  static var maximumByteCount: Int { 1 << 42 }

  /// Refuses negative extents and more elements than memory can hold. Empty shapes may not hide such extents.
  func checkSize(of element: ElementType) throws(KernelError) {
    var counted = self
    for axis in 0..<count where self[axis] == 0 { counted[axis] = 1 }
    guard let bytes = counted.byteCount(of: element), bytes <= Self.maximumByteCount else {
      throw .invalid("\(element)\(array): the elements exceed what memory can hold")
    }
  }

  /// Product of the entries in `range`.
  func product(_ range: Range<Int>) -> Int {
    var result = 1
    for axis in range { result &*= self[axis] }
    return result
  }

  /// The entries from `axis` on.
  func from(_ axis: Int) -> Extents {
    var result = Extents()
    for other in axis..<count { result.append(self[other]) }
    return result
  }

  func inserting(_ value: Int, at axis: Int) -> Extents {
    var result = Extents()
    for other in 0..<axis { result.append(self[other]) }
    result.append(value)
    for other in axis..<count { result.append(self[other]) }
    return result
  }
}

extension KernelCall {
  /// The integers of an i64 or i32 operand of any shape, in row-major order, without growing an array.
  func integerBuffer(_ operand: Int) throws(KernelError) -> UnsafeBufferPointer<Int> {
    let view = contiguous(operand)
    let count = view.elementCount
    switch view.element {
    case .i64: return UnsafeBufferPointer(start: view.base.assumingMemoryBound(to: Int.self), count: count)
    case .i32:
      let from = view.base.assumingMemoryBound(to: Int32.self)
      let to = resources.scratch(byteCount: count * 8).bindMemory(to: Int.self, capacity: count)
      for index in 0..<count { to[index] = Int(from[index]) }
      return UnsafeBufferPointer(start: to, count: count)
    default: throw .element(view.element, of: "operand \(operand)", accepted: "i64 and i32")
    }
  }
}
