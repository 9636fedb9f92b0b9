import Tensors

/// Extends or crops axes.
///
/// Operands: data, pads (all begins, then all ends; negative ones crop), the constant (default 0), axes
/// (default: all). Modes: `constant`; `edge` repeats the border; `reflect` mirrors without it; `wrap`
/// continues on the other side.
struct PadKernel: Kernel {
  enum Mode: String { case constant, reflect, edge, wrap }
  let mode: Mode

  static let entry = KernelEntry("pad") { attributes throws(KernelError) in
    let name = attributes.string("mode", default: "constant")
    guard let mode = Mode(rawValue: name) else {
      throw .invalid("mode '\(name)', accepted are 'constant', 'reflect', 'edge' and 'wrap'")
    }
    return PadKernel(mode: mode)
  }

  func run(_ call: KernelCall) throws(KernelError) {
    let x = call[0]
    let pads = try call.integerBuffer(1)
    let axes = call.has(3) ? try call.integerBuffer(3) : nil
    let count = axes?.count ?? x.rank
    guard pads.count == 2 * count else {
      throw .invalid(
        "'pads' has \(pads.count) entries, accepted are \(2 * count): a begin and an end per axis")
    }
    let limit = Extents.maximumByteCount
    guard pads.allSatisfy({ (-limit...limit).contains($0) }) else {
      throw .invalid("'pads' are \(Array(pads)): the elements exceed what memory can hold")
    }
    var (shape, begins) = (x.shape, Extents(repeating: 0, count: x.rank))
    for index in 0..<count {
      let axis = try x.shape.axis(axes?[index] ?? index)
      begins[axis] = pads[index]
      shape[axis] = x.shape[axis] + pads[index] + pads[index + count]
      guard shape[axis] >= 0 else {
        throw .invalid("axis \(axis) of extent \(x.shape[axis]) is cropped below 0")
      }
    }
    try shape.checkSize(of: x.element)
    var maps: [[Int]] = []
    for axis in 0..<x.rank {
      let extent = x.shape[axis]
      guard mode == .constant || extent > 0 || shape[axis] == 0 else {
        throw .invalid("axis \(axis) is empty, mode '\(mode)' needs something to copy")
      }
      maps.append((0..<shape[axis]).map { source(of: $0 - begins[axis], extent) })
    }
    let y = call.allocate(0, x.element, shape)
    let zero: UInt64 = 0
    withUnsafeBytes(of: zero) { zero in
      MappedCopy.run(
        from: x, to: y, maps: maps,
        fill: call.optional(2).map { UnsafeRawPointer($0.base) } ?? zero.baseAddress)
    }
  }

  /// The source position of a place that lies at `position` relative to the operand, or -1.
  private func source(of position: Int, _ extent: Int) -> Int {
    if (0..<extent).contains(position) { return position }
    switch mode {
    case .constant: return -1
    case .edge: return position < 0 ? 0 : extent - 1
    case .wrap:
      let rest = position % extent
      return rest < 0 ? rest + extent : rest
    case .reflect:
      if extent == 1 { return 0 }
      let period = 2 * (extent - 1)
      let rest = (position % period + period) % period
      return rest < extent ? rest : period - rest
    }
  }
}
