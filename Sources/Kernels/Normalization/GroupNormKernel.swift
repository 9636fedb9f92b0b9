import Tensors

/// Normalizes groups of channels of `x[n, c, ...]`, then scales and shifts each channel.
///
///     y = (x - mean) / sqrt(variance + epsilon) * scale[c] + bias[c]
///
/// Mean and variance are over one group of one sample; without `groups` each channel is a group.
struct GroupNormKernel: RealKernel {
  let groups: Int?
  let epsilon: Float

  func run<T: Real>(_ call: KernelCall, as type: T.Type) throws(KernelError) {
    let x = call.contiguous(0)
    guard x.rank >= 2 else { throw .invalid("found shape \(x.shape.array), accepted are two axes and more") }
    let channels = x.shape[1]
    let groups = groups ?? channels
    let scale = try channelVector(call, 1, channels, T.self)
    let bias = try channelVector(call, 2, channels, T.self)
    let y = call.allocate(0, x.element, x.shape).pointer(T.self)
    if x.elementCount == 0 { return }
    guard channels % groups == 0 else {
      throw .invalid("\(channels) channels do not divide into \(groups) groups")
    }
    let spatial = x.elementCount / (x.shape[0] * channels)
    let (width, length) = (channels / groups, channels / groups * spatial)
    for index in 0..<(x.shape[0] * groups) {
      let (from, to) = (UnsafePointer(x.pointer(T.self) + index * length), y + index * length)
      let mean = RowFold.sum(from, length) / T(length)
      let variance = RowFold.fold(from, length, 0, { ($0 - mean) * ($0 - mean) }, T.sum) / T(length)
      let inverse = 1 / (variance + T(epsilon)).squareRoot()
      for channel in 0..<width {
        let number = index % groups * width + channel
        let (factor, offset) = (inverse * scale[number], bias[number])
        for position in (channel * spatial)..<((channel + 1) * spatial) {
          to[position] = (from[position] - mean) * factor + offset
        }
      }
    }
  }
}

/// The elements of an operand with one number per channel.
func channelVector<T: Real>(
  _ call: KernelCall, _ operand: Int, _ channels: Int, _ type: T.Type
) throws(KernelError) -> UnsafeMutablePointer<T> {
  let view = call.contiguous(operand)
  guard view.elementCount == channels else {
    throw .invalid(
      "operand \(operand) has shape \(view.shape.array), accepted are \(channels) numbers"
    )
  }
  if view.element == T.element { return view.pointer(T.self) }
  let copy = call.resources.scratch(byteCount: channels * MemoryLayout<T>.stride).assumingMemoryBound(
    to: T.self)
  for index in 0..<channels { copy[index] = T(converting: NumberCoding.load(view.base, view.element, index)) }
  return copy
}
